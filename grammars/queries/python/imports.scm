(import_statement name: (dotted_name) @import)
(import_statement name: (aliased_import name: (dotted_name) @import))
(import_from_statement module_name: (_) @import)
; Attributes count where what they belong to is called self: symbols.c looks.
(assignment left: (attribute object: (identifier) @self attribute: (identifier) @name)) @definition.field
