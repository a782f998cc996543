(function_item name: (identifier) @name) @definition.function
(function_signature_item name: (identifier) @name) @definition.function
(declaration_list (function_item name: (identifier) @name) @definition.method)
(struct_item name: (type_identifier) @name) @definition.struct
(enum_item name: (type_identifier) @name) @definition.enum
(enum_variant name: (identifier) @name) @definition.enumerator
(trait_item name: (type_identifier) @name) @definition.interface
(type_item name: (type_identifier) @name) @definition.type
(mod_item name: (identifier) @name) @definition.module
(const_item name: (identifier) @name) @definition.constant
(static_item name: (identifier) @name) @definition.variable
(macro_definition name: (identifier) @name) @definition.macro
(field_declaration name: (field_identifier) @name) @definition.field
(impl_item type: (type_identifier) @owner body: (declaration_list (function_item name: (identifier) @name) @definition.method))
(impl_item type: (generic_type type: (type_identifier) @owner) body: (declaration_list (function_item name: (identifier) @name) @definition.method))
(impl_item type: (type_identifier) @owner body: (declaration_list (const_item name: (identifier) @name) @definition.constant))
