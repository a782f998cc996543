(import_statement source: (string) @import)
