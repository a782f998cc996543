(table (bare_key) @name) @definition.module
(pair (bare_key) @name) @definition.key
