(function_declaration) @scope
(function_expression) @scope
(arrow_function) @scope
(method_definition) @scope
(statement_block) @scope
(for_statement) @scope
(for_in_statement) @scope
(variable_declarator name: (identifier) @local)
(variable_declarator name: (object_pattern (shorthand_property_identifier_pattern) @local))
(variable_declarator name: (array_pattern (identifier) @local))
(for_in_statement left: (identifier) @local)
(import_specifier name: (identifier) @local)
(import_clause (identifier) @local)
