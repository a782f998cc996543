; src/rules/rules.h tells the form.

((call_expression function: (selector_expression operand: (identifier) @package field: (field_identifier) @name)
   arguments: (argument_list . (_) @format .)) @at
 (#any-of? @package "fmt" "log") (#any-of? @name "Printf" "Sprintf" "Errorf" "Fatalf" "Panicf")
 (#kind? @format "identifier" "selector_expression" "index_expression" "call_expression")
 (#set! rule "format-not-literal") (#set! severity "warning")
 (#set! message "the format is no literal: a % in it would be read as a verb; write \"%s\" before it")
 (#set! fix "\"%s\", {format}") (#set! fix-at "format") (#set! fix-title "Print it with \"%s\""))

((assignment_statement left: (expression_list . (_) @left .) "=" right: (expression_list . (_) @right .)) @at
 (#kind? @left "identifier" "selector_expression") (#eq? @left @right)
 (#set! rule "self-assignment") (#set! severity "warning")
 (#set! message "{left} is assigned to itself"))

((binary_expression left: (identifier) @left operator: ["==" "<" "<=" ">" ">=" "&&" "||"] right: (identifier) @right) @at
 (#eq? @left @right)
 (#set! rule "same-operands") (#set! severity "hint")
 (#set! message "both sides are the same"))

((for_statement body: (block (statement_list (defer_statement) @at)))
 (#set! rule "defer-in-loop") (#set! severity "hint")
 (#set! message "this runs when the function ends and not after each round of the loop"))

((binary_expression left: (identifier) @left operator: ["==" "!="] @operator right: [(true) (false)] @right) @at
 (#set! rule "bool-comparison") (#set! severity "hint")
 (#set! message "{left} is a condition by itself"))

((if_statement condition: (binary_expression left: (identifier) @name operator: "!=" right: (nil)) consequence: (block . "{" . "}" .) @at)
 (#any-of? @name "err")
 (#set! rule "ignored-error") (#set! severity "warning")
 (#set! message "the error is looked at and nothing is done about it"))

((statement_list (_) @at) (#unreachable? @at)
 (#set! rule "unreachable") (#set! severity "hint") (#set! at-first-line "") (#set! unnecessary "")
 (#set! message "this is never reached: the statement before leaves"))
