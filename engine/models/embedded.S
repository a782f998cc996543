/* The embedded model's bytes in a page-aligned read-only section: mapped, never copied. */
    .section .rodata.r1ls_model, "a", %progbits
    .balign 4096
    .globl embedded_model_start
embedded_model_start:
    .incbin EMBEDDED_MODEL
    .globl embedded_model_end
embedded_model_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
