// What unit tests share: cmocka's includes in the order it wants them, and the embedded model.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

// Fails the test with the error's text.
#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        if (!(call)) fail_msg("%s: %s", #call, (err).text);                                        \
    } while (0)
