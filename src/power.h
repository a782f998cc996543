// Where the machine's power comes from.
#pragma once

#include <stdbool.h>

// True if it runs on its battery, by the kernel's power_supply class; false where it does not tell.
// Any thread; reads a few small files.
bool power_is_on_battery(void);
