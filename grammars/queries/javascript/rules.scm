; JavaScript, TypeScript and TSX. src/rules/rules.h tells the form.

((binary_expression left: (_) @left operator: "==" @at right: (_) @right)
 (#not-kind? @left "null" "undefined") (#not-kind? @right "null" "undefined")
 (#set! rule "loose-equality") (#set! severity "warning")
 (#set! message "== converts its sides before it compares them; use ===")
 (#set! fix "===") (#set! fix-title "Compare with ==="))
((binary_expression left: (_) @left operator: "!=" @at right: (_) @right)
 (#not-kind? @left "null" "undefined") (#not-kind? @right "null" "undefined")
 (#set! rule "loose-equality") (#set! severity "warning")
 (#set! message "!= converts its sides before it compares them; use !==")
 (#set! fix "!==") (#set! fix-title "Compare with !=="))

((if_statement condition: (parenthesized_expression (assignment_expression "=" @operator) @at))
 (#set! rule "assignment-in-condition") (#set! severity "warning")
 (#set! message "an assignment stands as a condition; write === to compare, or put it into parentheses of its own")
 (#set! fix "===") (#set! fix-at "operator") (#set! fix-title "Compare with ==="))
((while_statement condition: (parenthesized_expression (assignment_expression "=" @operator) @at))
 (#set! rule "assignment-in-condition") (#set! severity "warning")
 (#set! message "an assignment stands as a condition; write === to compare, or put it into parentheses of its own")
 (#set! fix "===") (#set! fix-at "operator") (#set! fix-title "Compare with ==="))

((lexical_declaration (variable_declarator name: (identifier) @name))
 (#local? @name) (#unused? @name)
 (#set! rule "unused-variable") (#set! severity "warning") (#set! at "name") (#set! unnecessary "")
 (#set! message "{name} is declared and not used"))
((variable_declaration (variable_declarator name: (identifier) @name))
 (#local? @name) (#unused? @name)
 (#set! rule "unused-variable") (#set! severity "warning") (#set! at "name") (#set! unnecessary "")
 (#set! message "{name} is declared and not used"))

((expression_statement (call_expression function: (identifier) @name) @at)
 (#async-function? @name) (#in-async? @at)
 (#set! rule "promise-not-awaited") (#set! severity "warning") (#set! at "name")
 (#set! message "{name} is async: without await its errors are lost and the code goes on before it has ended")
 (#set! fix "await {at}") (#set! fix-at "at") (#set! fix-title "Await it"))
((expression_statement (call_expression function: (member_expression object: (this) property: (property_identifier) @name)) @at)
 (#async-function? @name) (#in-async? @at)
 (#set! rule "promise-not-awaited") (#set! severity "warning") (#set! at "name")
 (#set! message "{name} is async: without await its errors are lost and the code goes on before it has ended")
 (#set! fix "await {at}") (#set! fix-at "at") (#set! fix-title "Await it"))

((binary_expression left: (_) operator: ["==" "===" "!=" "!=="] right: (identifier) @nan) @at
 (#any-of? @nan "NaN")
 (#set! rule "nan-comparison") (#set! severity "warning")
 (#set! message "nothing equals NaN, not even NaN; use Number.isNaN"))

((binary_expression left: (identifier) @left operator: ["==" "===" "<" ">" "<=" ">="] right: (identifier) @right) @at
 (#eq? @left @right)
 (#set! rule "same-operands") (#set! severity "hint")
 (#set! message "both sides are the same"))

((debugger_statement) @at
 (#set! rule "debugger-left") (#set! severity "warning")
 (#set! message "a debugger statement stops everyone who runs this"))

((statement_block (_) @at) (#unreachable? @at)
 (#set! rule "unreachable") (#set! severity "hint") (#set! at-first-line "") (#set! unnecessary "")
 (#set! message "this is never reached: the statement before leaves"))
