# Writes queries/FOLDER/KIND.scm and snippets.txt as the C string query_FOLDER_KIND into OUT, and the highlight query of each
# package in PACKAGES as query_NAME_highlights.
function(embed path name)
  file(READ ${path} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  set(text "${text}const char query_${name}[] = {${bytes}0};\n" PARENT_SCOPE)
endfunction()

set(text "// Made from .scm and .txt files by embed_queries.cmake; not edited by hand.\n#include \"queries.h\"\n")
file(GLOB files ${FOLDER}/*/*.scm ${FOLDER}/*/snippets.txt)
list(SORT files)
foreach(path ${files})
  get_filename_component(kind ${path} NAME_WE)
  get_filename_component(folder ${path} DIRECTORY)
  get_filename_component(folder ${folder} NAME)
  embed(${path} ${folder}_${kind})
endforeach()
foreach(name c cpp python javascript typescript go rust java bash json yaml toml lua ruby php c-sharp html css
    markdown make)
  file(GLOB path ${PACKAGES}/tree-sitter-${name}/queries/highlights.scm
    ${PACKAGES}/@tree-sitter-grammars/tree-sitter-${name}/queries/highlights.scm
    ${PACKAGES}/@tree-sitter-grammars/tree-sitter-${name}/tree-sitter-${name}/queries/highlights.scm)
  string(REPLACE "-" "" name ${name})
  embed(${path} ${name}_highlights)
endforeach()
file(WRITE ${OUT} "${text}")
