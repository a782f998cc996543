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

; What the compiler refuses, told before it runs.
((short_var_declaration left: (expression_list (identifier) @name))
 (#local? @name) (#unused? @name)
 (#set! rule "unused-variable") (#set! severity "error") (#set! at "name") (#set! unnecessary "")
 (#set! message "{name} is declared and not used"))
((var_declaration (var_spec name: (identifier) @name))
 (#local? @name) (#unused? @name)
 (#set! rule "unused-variable") (#set! severity "error") (#set! at "name") (#set! unnecessary "")
 (#set! message "{name} is declared and not used"))
((import_spec !name path: (interpreted_string_literal) @path) @at
 (#unused-package? @path)
 (#set! rule "unused-import") (#set! severity "error") (#set! unnecessary "")
 (#set! message "{path} is imported and not used"))

((call_expression function: (selector_expression operand: (identifier) @errors field: (field_identifier) @new)
   arguments: (argument_list . (call_expression function: (selector_expression operand: (identifier) @fmt field: (field_identifier) @sprintf)
                                                arguments: (argument_list) @arguments) .)) @at
 (#any-of? @errors "errors") (#any-of? @new "New") (#any-of? @fmt "fmt") (#any-of? @sprintf "Sprintf")
 (#set! rule "error-of-sprintf") (#set! severity "hint")
 (#set! message "fmt.Errorf makes this error in one step")
 (#set! fix "fmt.Errorf{arguments}") (#set! fix-title "Use fmt.Errorf"))

((range_clause left: (expression_list . (identifier) @name . (identifier) @blank .) @at)
 (#any-of? @blank "_")
 (#set! rule "blank-in-range") (#set! severity "hint") (#set! unnecessary "")
 (#set! message "the blank can be left out")
 (#set! fix "{name}") (#set! fix-title "Leave it out"))
