; src/rules/rules.h tells the form.

((binary_expression left: (_) @left operator: "==" right: (boolean_literal) @right) @at
 (#any-of? @right "true")
 (#set! rule "bool-comparison") (#set! severity "hint")
 (#set! message "{left} is a condition by itself")
 (#set! fix "{left}") (#set! fix-title "Leave == true out"))

((binary_expression left: (identifier) @left operator: ["==" "<" "<=" ">" ">=" "&&" "||"] right: (identifier) @right) @at
 (#eq? @left @right)
 (#set! rule "same-operands") (#set! severity "hint")
 (#set! message "both sides are the same"))

((assignment_expression left: (_) @left right: (_) @right) @at
 (#kind? @left "identifier" "field_expression") (#eq? @left @right)
 (#set! rule "self-assignment") (#set! severity "warning")
 (#set! message "{left} is assigned to itself"))

((macro_invocation macro: (identifier) @name) @at
 (#any-of? @name "dbg")
 (#set! rule "debugger-left") (#set! severity "warning")
 (#set! message "dbg! was left here"))

((block (expression_statement (return_expression (_) @value) @at) . "}")
 (#body-of-function? @at)
 (#set! rule "needless-return") (#set! severity "hint")
 (#set! message "the last expression of a function is its value: return is not needed"))

((block (_) @at) (#unreachable? @at)
 (#set! rule "unreachable") (#set! severity "hint") (#set! at-first-line "") (#set! unnecessary "")
 (#set! message "this is never reached: the statement before leaves"))

((let_declaration pattern: (identifier) @name)
 (#local? @name) (#unused? @name)
 (#set! rule "unused-variable") (#set! severity "warning") (#set! at "name") (#set! unnecessary "")
 (#set! message "{name} is not used; write _{name} if that is meant")
 (#set! fix "_{name}") (#set! fix-title "Write _{name}"))

((binary_expression left: (call_expression function: (field_expression value: (_) @value field: (field_identifier) @name) arguments: (arguments) @none)
   operator: "==" right: (integer_literal) @zero) @at
 (#any-of? @name "len") (#any-of? @none "()") (#any-of? @zero "0")
 (#set! rule "len-zero") (#set! severity "hint")
 (#set! message "is_empty says what is meant")
 (#set! fix "{value}.is_empty()") (#set! fix-title "Use is_empty"))
((binary_expression left: (call_expression function: (field_expression value: (_) @value field: (field_identifier) @name) arguments: (arguments) @none)
   operator: ["!=" ">"] right: (integer_literal) @zero) @at
 (#any-of? @name "len") (#any-of? @none "()") (#any-of? @zero "0")
 (#set! rule "len-zero") (#set! severity "hint")
 (#set! message "is_empty says what is meant")
 (#set! fix "!{value}.is_empty()") (#set! fix-title "Use is_empty"))
