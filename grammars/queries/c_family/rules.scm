; What holds for C and C++. src/rules/rules.h tells the form.

((call_expression function: (identifier) @name arguments: (argument_list)) @at
 (#any-of? @name "gets")
 (#set! rule "gets") (#set! severity "error")
 (#set! message "gets cannot know how large its buffer is; use fgets"))

((call_expression function: (identifier) @name arguments: (argument_list (_) . (_) @source)) @at
 (#any-of? @name "strcpy" "strcat" "stpcpy")
 (#not-kind? @source "string_literal")
 (#set! rule "unbounded-copy") (#set! severity "hint")
 (#set! message "{name} copies without knowing how large its target is; use snprintf, or check the length before"))

((call_expression function: (identifier) @name arguments: (argument_list . (_) @format .)) @at
 (#any-of? @name "printf" "vprintf")
 (#kind? @format "identifier" "field_expression" "subscript_expression" "call_expression")
 (#not-macro? @format)
 (#set! rule "format-not-literal") (#set! severity "warning")
 (#set! message "the format is no literal: a % in it would be read as a conversion; write {name}(\"%s\", ...)")
 (#set! fix "\"%s\", {format}") (#set! fix-at "format") (#set! fix-title "Print it with \"%s\""))

((call_expression function: (identifier) @name arguments: (argument_list . (_) . (_) @format .)) @at
 (#any-of? @name "fprintf" "dprintf" "syslog" "sprintf")
 (#kind? @format "identifier" "field_expression" "subscript_expression")
 (#not-macro? @format)
 (#set! rule "format-not-literal") (#set! severity "warning")
 (#set! message "the format is no literal: a % in it would be read as a conversion; write \"%s\" before it")
 (#set! fix "\"%s\", {format}") (#set! fix-at "format") (#set! fix-title "Print it with \"%s\""))

((call_expression function: (identifier) @call
   arguments: (argument_list . (identifier) @name (sizeof_expression value: (parenthesized_expression (identifier) @sized))))
 (#any-of? @call "memset" "memcpy" "memmove" "memcmp" "strncpy" "strncat" "snprintf" "bzero" "fgets" "read" "recv")
 (#eq? @name @sized) (#pointer? @name)
 (#set! rule "sizeof-pointer") (#set! severity "warning") (#set! at "sized")
 (#set! message "this is the size of the pointer {sized} and not of what it points to")
 (#set! fix "*{sized}") (#set! fix-at "sized") (#set! fix-title "Take the size of what {sized} points to"))

((init_declarator declarator: (pointer_declarator declarator: (identifier) @name)
   value: (call_expression function: (identifier) @call
     arguments: (argument_list (sizeof_expression value: (parenthesized_expression (identifier) @sized)))))
 (#any-of? @call "malloc" "calloc" "realloc")
 (#eq? @name @sized)
 (#set! rule "sizeof-pointer") (#set! severity "warning") (#set! at "sized")
 (#set! message "this is the size of the pointer {sized} and not of what it points to")
 (#set! fix "*{sized}") (#set! fix-at "sized") (#set! fix-title "Take the size of what {sized} points to"))

((assignment_expression left: (identifier) @name
   right: (call_expression function: (identifier) @call
     arguments: (argument_list (sizeof_expression value: (parenthesized_expression (identifier) @sized)))))
 (#any-of? @call "malloc" "calloc" "realloc")
 (#eq? @name @sized) (#pointer? @name)
 (#set! rule "sizeof-pointer") (#set! severity "warning") (#set! at "sized")
 (#set! message "this is the size of the pointer {sized} and not of what it points to")
 (#set! fix "*{sized}") (#set! fix-at "sized") (#set! fix-title "Take the size of what {sized} points to"))

((case_statement) @at
 (#fallen-into? @at)
 (#set! rule "missing-break") (#set! severity "warning") (#set! at-first-line "")
 (#set! message "the case before runs on into this one; end it with break, or say that it falls through"))

((expression_statement (call_expression function: (identifier) @call arguments: (argument_list . (identifier) @name .))) @statement
 (#any-of? @call "free") (#used-after? @statement @name)
 (#set! rule "use-after-free") (#set! severity "warning") (#set! at "name")
 (#set! message "{name} is used after this call has freed it"))

((declaration declarator: (init_declarator declarator: (pointer_declarator declarator: (identifier) @name)
   value: [(call_expression function: (identifier) @call)
           (cast_expression value: (call_expression function: (identifier) @call))])) @statement
 (#any-of? @call "malloc" "calloc" "realloc" "strdup" "strndup")
 (#unchecked? @statement @name)
 (#set! rule "unchecked-allocation") (#set! severity "hint") (#set! at "call")
 (#set! message "{call} may return NULL, and {name} is used without a check"))

((expression_statement (assignment_expression left: (identifier) @name
   right: [(call_expression function: (identifier) @call)
           (cast_expression value: (call_expression function: (identifier) @call))])) @statement
 (#any-of? @call "malloc" "calloc" "realloc" "strdup" "strndup")
 (#unchecked? @statement @name)
 (#set! rule "unchecked-allocation") (#set! severity "hint") (#set! at "call")
 (#set! message "{call} may return NULL, and {name} is used without a check"))

((assignment_expression left: (identifier) @name
   right: (call_expression function: (identifier) @call arguments: (argument_list . (identifier) @old))) @at
 (#any-of? @call "realloc") (#eq? @name @old)
 (#set! rule "realloc-leak") (#set! severity "hint")
 (#set! message "if realloc fails, {name} is NULL and the memory that it pointed to is lost; keep the result in another variable"))

((compound_statement (_) @at) (#unreachable? @at)
 (#set! rule "unreachable") (#set! severity "hint") (#set! at-first-line "")
 (#set! message "this is never reached: the statement before leaves"))
((case_statement (_) @at) (#unreachable? @at)
 (#set! rule "unreachable") (#set! severity "hint") (#set! at-first-line "")
 (#set! message "this is never reached: the statement before leaves"))

((binary_expression left: (identifier) @left operator: ["==" "<" "<=" ">" ">="] right: (identifier) @right) @at
 (#eq? @left @right)
 (#set! rule "same-operands") (#set! severity "warning")
 (#set! message "both sides are the same"))
