// The query strings that embed_queries.cmake makes from queries/*/*.scm, queries/*/snippets.txt and
// the packages.
#pragma once

extern const char query_bash_bodies[], query_bash_definitions[], query_bash_highlights[],
    query_c_bodies[], query_c_definitions[], query_c_family_rules[], query_c_highlights[],
    query_c_imports[], query_c_references[], query_c_rules[], query_c_scopes[], query_cpp_bodies[],
    query_cpp_definitions[], query_cpp_highlights[], query_cpp_rules[], query_cpp_scopes[],
    query_csharp_bodies[], query_csharp_definitions[], query_csharp_highlights[],
    query_css_definitions[], query_css_highlights[], query_ecma_params_scopes[], query_go_bodies[],
    query_go_definitions[], query_go_highlights[], query_go_imports[], query_go_references[],
    query_go_rules[], query_go_scopes[], query_html_highlights[], query_java_bodies[],
    query_java_definitions[], query_java_highlights[], query_java_imports[],
    query_java_references[], query_java_scopes[], query_javascript_bodies[],
    query_javascript_definitions[], query_javascript_fields[], query_javascript_highlights[],
    query_javascript_imports[], query_javascript_references[], query_javascript_rules[],
    query_javascript_scopes[], query_json_definitions[], query_json_highlights[],
    query_lua_definitions[], query_lua_highlights[], query_make_definitions[],
    query_make_highlights[], query_markdown_definitions[], query_markdown_highlights[],
    query_php_bodies[], query_php_definitions[], query_php_highlights[], query_python_bodies[],
    query_python_definitions[], query_python_highlights[], query_python_imports[],
    query_python_references[], query_python_rules[], query_python_scopes[],
    query_ruby_definitions[], query_ruby_highlights[], query_rust_bodies[],
    query_rust_definitions[], query_rust_highlights[], query_rust_imports[],
    query_rust_references[], query_rust_rules[], query_rust_scopes[], query_toml_definitions[],
    query_toml_highlights[], query_typescript_definitions[], query_typescript_highlights[],
    query_typescript_scopes[], query_yaml_definitions[], query_yaml_highlights[];
extern const char query_c_family_snippets[], query_c_snippets[], query_cpp_snippets[],
    query_go_snippets[], query_java_snippets[], query_javascript_snippets[],
    query_python_snippets[], query_rust_snippets[], query_typescript_snippets[];
