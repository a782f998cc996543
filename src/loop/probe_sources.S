/* What runs beside a project's tests, as it is written there. */
    .section .rodata.r1ls_probe, "a", %progbits
    .globl probe_python_start
probe_python_start:
    .incbin PROBE_PYTHON
    .byte 0
    .globl probe_runtime_start
probe_runtime_start:
    .incbin PROBE_RUNTIME
    .byte 0
    .globl screen_python_start
screen_python_start:
    .incbin SCREEN_PYTHON
    .byte 0
    .globl screen_runtime_start
screen_runtime_start:
    .incbin SCREEN_RUNTIME
    .byte 0
    .globl documented_python_start
documented_python_start:
    .incbin DOCUMENTED_PYTHON
    .byte 0
    .globl documented_c_start
documented_c_start:
    .incbin DOCUMENTED_C
    .byte 0
    .section .note.GNU-stack, "", %progbits
