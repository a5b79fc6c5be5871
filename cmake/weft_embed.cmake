# Files as constants of C++.

include_guard(GLOBAL)

set(_weft_embed_script "${CMAKE_CURRENT_LIST_DIR}/weft_embed_script.cmake")

# weft_embed(target HEADER path NAME file [NAME file]...)
#
# Makes the library `target`, whose header declares each file as a std::string_view NAME. The files
# are text without the raw string's own delimiter in them.
function(weft_embed target)
  cmake_parse_arguments(ARG "" "HEADER" "" ${ARGN})
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}")
  set(header "${folder}/${ARG_HEADER}")
  set(source "${folder}/${target}.cc")
  set(words ${ARG_UNPARSED_ARGUMENTS})
  set(files)
  set(pairs)
  while(words)
    list(POP_FRONT words name file)
    get_filename_component(file "${file}" ABSOLUTE)
    list(APPEND files "${file}")
    list(APPEND pairs "${name}=${file}")
  endwhile()
  list(JOIN pairs "|" pairs)
  add_custom_command(
    OUTPUT "${source}" "${header}"
    COMMAND "${CMAKE_COMMAND}" "-DPAIRS=${pairs}" "-DSOURCE=${source}" "-DHEADER=${header}"
      "-DINCLUDE=${ARG_HEADER}" -P "${_weft_embed_script}"
    DEPENDS ${files} "${_weft_embed_script}"
    COMMENT "Embed ${target}" VERBATIM)
  add_library(${target} STATIC "${source}" "${header}")
  target_include_directories(${target} PUBLIC "${folder}")
  target_link_libraries(${target} PUBLIC weft_options)
endfunction()
