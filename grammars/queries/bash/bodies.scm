(function_definition name: (word) @name body: (compound_statement) @body) @function
