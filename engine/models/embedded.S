/* The embedded model and the embedded adapter in a page-aligned read-only section: mapped, never copied. */
    .section .rodata.r1ls_model, "a", %progbits
    .balign 4096
    .globl embedded_model_start
embedded_model_start:
    .incbin EMBEDDED_MODEL
    .globl embedded_model_end
embedded_model_end:
    .byte 0
    .balign 4096
    .globl embedded_adapter_start
embedded_adapter_start:
    .incbin EMBEDDED_ADAPTER
    .globl embedded_adapter_end
embedded_adapter_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
