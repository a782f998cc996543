(function_item name: (identifier) @name body: (block) @body) @function
