(use_declaration argument: (_) @import)
