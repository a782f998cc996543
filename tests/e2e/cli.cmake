# The commands of the built program on real files.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME e2e_cli
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/test_cli.py $<TARGET_FILE:r1ls>)
set_tests_properties(e2e_cli PROPERTIES LABELS e2e TIMEOUT 900)
