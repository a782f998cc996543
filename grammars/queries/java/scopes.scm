(method_declaration) @scope
(constructor_declaration) @scope
(lambda_expression) @scope
(block) @scope
(for_statement) @scope
(formal_parameter name: (identifier) @local)
(local_variable_declaration declarator: (variable_declarator name: (identifier) @local))
(enhanced_for_statement name: (identifier) @local)
