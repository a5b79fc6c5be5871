# Text files inside the binary.
#
# weft_embed_files(output FILES path...): adds the command that makes `output`, a C++ source with
# weft::embedded_files(): each file under its path from the top of the repository.
# As a script (cmake -P) this file does the writing.

function(weft_embed_files output)
  cmake_parse_arguments(ARG "" "" "FILES" ${ARGN})
  set(paths ${ARG_FILES})
  list(TRANSFORM paths PREPEND "${CMAKE_SOURCE_DIR}/")
  add_custom_command(OUTPUT "${output}"
    COMMAND "${CMAKE_COMMAND}" "-DROOT=${CMAKE_SOURCE_DIR}" "-DOUT=${output}" "-DFILES=${ARG_FILES}"
      -P "${CMAKE_SOURCE_DIR}/cmake/weft_embed_files.cmake"
    DEPENDS ${paths} "${CMAKE_SOURCE_DIR}/cmake/weft_embed_files.cmake"
    COMMENT "Embedding the SDK and the templates" VERBATIM)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE AND OUT)
  set(text "#include \"dev/embedded.h\"\n\nnamespace weft {\n\n")
  string(APPEND text "std::span<const EmbeddedFile> embedded_files() {\n")
  string(APPEND text "  static constexpr EmbeddedFile kFiles[] = {\n")
  foreach(path IN LISTS FILES)
    file(READ "${ROOT}/${path}" contents)
    string(APPEND text "{\"${path}\", R\"weft_file(${contents})weft_file\"},\n")
  endforeach()
  string(APPEND text "  };\n  return kFiles;\n}\n\n}  // namespace weft\n")
  file(WRITE "${OUT}" "${text}")
endif()
