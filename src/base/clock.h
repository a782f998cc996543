// Monotonic time.
#pragma once

// Milliseconds since an arbitrary start; never goes back. Any thread.
double clock_ms(void);
