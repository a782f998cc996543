; src/rules/rules.h tells the form.

((default_parameter name: (_) @name value: [(list) (dictionary) (set) (list_comprehension) (dictionary_comprehension)] @at)
 (#not-has-ancestor? @at "lambda")
 (#set! rule "mutable-default") (#set! severity "warning")
 (#set! message "this default is made once and shared by all calls; use None and make it in the body"))
((typed_default_parameter name: (_) @name value: [(list) (dictionary) (set) (list_comprehension) (dictionary_comprehension)] @at)
 (#set! rule "mutable-default") (#set! severity "warning")
 (#set! message "this default is made once and shared by all calls; use None and make it in the body"))
((default_parameter value: (call function: (identifier) @call arguments: (argument_list)) @at)
 (#any-of? @call "list" "dict" "set" "bytearray" "defaultdict" "deque" "OrderedDict" "Counter")
 (#not-has-ancestor? @at "lambda")
 (#set! rule "mutable-default") (#set! severity "warning")
 (#set! message "this default is made once and shared by all calls; use None and make it in the body"))

((except_clause . "except" @at . ":")
 (#not-reraises? @at)
 (#set! rule "bare-except") (#set! severity "warning")
 (#set! message "this also catches KeyboardInterrupt and SystemExit; name the exceptions, or write except Exception")
 (#set! fix "except Exception") (#set! fix-title "Catch Exception"))

((comparison_operator (_) . "==" @operator . (none)) @at
 (#set! rule "none-comparison") (#set! severity "warning")
 (#set! message "compare with None by is: == may be redefined")
 (#set! fix "is") (#set! fix-at "operator") (#set! fix-title "Write is None"))
((comparison_operator (_) . "!=" @operator . (none)) @at
 (#set! rule "none-comparison") (#set! severity "warning")
 (#set! message "compare with None by is not: != may be redefined")
 (#set! fix "is not") (#set! fix-at "operator") (#set! fix-title "Write is not None"))

((comparison_operator (_) . ["is" "is not"] @operator . [(integer) (float) (string) (concatenated_string) (list) (dictionary) (tuple)]) @at
 (#set! rule "is-literal") (#set! severity "warning")
 (#set! message "{operator} compares identity, which for a literal depends on the interpreter; use == or !="))

((import_statement name: (dotted_name . (identifier) @name) @at)
 (#unused? @name) (#import? @at)
 (#set! rule "unused-import") (#set! severity "warning") (#set! unnecessary "")
 (#set! message "{name} is imported and not used"))
((import_statement name: (aliased_import name: (_) @original alias: (identifier) @name) @at)
 (#not-eq? @original @name) (#unused? @name) (#import? @at)
 (#set! rule "unused-import") (#set! severity "warning") (#set! unnecessary "")
 (#set! message "{name} is imported and not used"))
((import_from_statement name: (dotted_name (identifier) @name) @at)
 (#unused? @name) (#import? @at)
 (#set! rule "unused-import") (#set! severity "warning") (#set! unnecessary "")
 (#set! message "{name} is imported and not used"))
((import_from_statement name: (aliased_import name: (_) @original alias: (identifier) @name) @at)
 (#not-eq? @original @name) (#unused? @name) (#import? @at)
 (#set! rule "unused-import") (#set! severity "warning") (#set! unnecessary "")
 (#set! message "{name} is imported and not used"))

((assignment left: (identifier) @name right: (_)) @statement
 (#local? @name) (#unused? @name)
 (#set! rule "unused-variable") (#set! severity "warning") (#set! at "name") (#set! unnecessary "")
 (#set! message "{name} is assigned and not used"))
((except_clause (as_pattern alias: (as_pattern_target (identifier) @name)))
 (#local? @name) (#unused? @name)
 (#set! rule "unused-variable") (#set! severity "hint") (#set! at "name") (#set! unnecessary "")
 (#set! message "{name} is assigned and not used"))

((string . (string_start) @start) @at
 (#plain-f-string? @at)
 (#set! rule "f-string-without-placeholder") (#set! severity "warning")
 (#set! message "this f-string has no placeholder: the f is of no use"))

((assert_statement . (tuple (_)) @at)
 (#set! rule "assert-tuple") (#set! severity "warning")
 (#set! message "a tuple is always true, so this asserts nothing; remove the parentheses"))

((comparison_operator . (identifier) @left . ["==" "<" ">" "<=" ">=" "is"] . (identifier) @right .) @at
 (#eq? @left @right) (#not-has-ancestor? @at "assert_statement")
 (#set! rule "same-operands") (#set! severity "warning")
 (#set! message "both sides are the same"))

((block (_) @at) (#unreachable? @at)
 (#set! rule "unreachable") (#set! severity "hint") (#set! at-first-line "") (#set! unnecessary "")
 (#set! message "this is never reached: the statement before leaves"))

((raise_statement (identifier) @at)
 (#any-of? @at "NotImplemented")
 (#set! rule "raise-notimplemented") (#set! severity "warning")
 (#set! message "NotImplemented is a value and no exception; raise NotImplementedError")
 (#set! fix "NotImplementedError") (#set! fix-title "Raise NotImplementedError"))
