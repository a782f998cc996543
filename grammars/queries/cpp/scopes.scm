(lambda_expression) @scope
(for_range_loop declarator: (identifier) @local)
(for_range_loop declarator: (reference_declarator (identifier) @local))
(parameter_declaration declarator: (reference_declarator (identifier) @local))
