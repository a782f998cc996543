// Monotonic time.
#pragma once

// Milliseconds since an arbitrary start; never goes back. Any thread.
double clock_ms(void);
// Milliseconds of CPU that the calling thread has used.
double clock_thread_ms(void);
