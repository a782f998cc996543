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
