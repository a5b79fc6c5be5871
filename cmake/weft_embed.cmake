# Text files inside the binary.
#
# weft_embed(output FUNCTION name FILES path...): adds the command that makes `output`, a C++ source
# with `std::span<const weft::EmbeddedFile> weft::name()` (src/base/embedded_file.h): each file
# under its path from the top of the repository. The files are text without `)weft_file"` in it.
# As a script (cmake -P) this file does the writing.

function(weft_embed output)
  cmake_parse_arguments(ARG "" "FUNCTION" "FILES" ${ARGN})
  set(paths ${ARG_FILES})
  list(TRANSFORM paths PREPEND "${CMAKE_SOURCE_DIR}/")
  add_custom_command(OUTPUT "${output}"
    COMMAND "${CMAKE_COMMAND}" "-DROOT=${CMAKE_SOURCE_DIR}" "-DOUT=${output}"
      "-DFUNCTION=${ARG_FUNCTION}" "-DFILES=${ARG_FILES}"
      -P "${CMAKE_SOURCE_DIR}/cmake/weft_embed.cmake"
    DEPENDS ${paths} "${CMAKE_SOURCE_DIR}/cmake/weft_embed.cmake"
    COMMENT "Embedding: ${ARG_FUNCTION}" VERBATIM)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE AND OUT)
  set(text "#include <span>\n\n#include \"base/embedded_file.h\"\n\nnamespace weft {\n\n")
  string(APPEND text "std::span<const EmbeddedFile> ${FUNCTION}() {\n")
  string(APPEND text "  static constexpr EmbeddedFile kFiles[] = {\n")
  foreach(path IN LISTS FILES)
    file(READ "${ROOT}/${path}" contents)
    string(APPEND text "{\"${path}\", R\"weft_file(${contents})weft_file\"},\n")
  endforeach()
  string(APPEND text "  };\n  return kFiles;\n}\n\n}  // namespace weft\n")
  file(WRITE "${OUT}" "${text}")
endif()
