(function_declaration) @scope
(method_declaration) @scope
(func_literal) @scope
(block) @scope
(for_statement) @scope
(if_statement) @scope
(parameter_declaration name: (identifier) @local)
(short_var_declaration left: (expression_list (identifier) @local))
(range_clause left: (expression_list (identifier) @local))
(var_spec name: (identifier) @local)
