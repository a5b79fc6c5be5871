# C++ bindings from WIT, generated while weft is built.

include_guard(GLOBAL)

# weft_wit_bindings(target WIT path [INTERFACES name...] [WORLDS name...])
# weft_wit_bindings(target DESCRIPTION file.json)
#
# Makes the library `target` with the bindings of the interfaces (all of the package's own, where
# none is named) and of those whose types they use:
# #include "wit/wasi/keyvalue_0_2_0_draft/store.h". WIT is a file or a folder; DESCRIPTION is what
# `weft-wit describe` printed. One target a package: two that generate the same interface cannot be
# linked together.
function(weft_wit_bindings target)
  cmake_parse_arguments(ARG "" "WIT;DESCRIPTION" "INTERFACES;WORLDS" ${ARGN})
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}")
  set(unit "${folder}/${target}.cc")
  set(description "${ARG_DESCRIPTION}")

  if(ARG_WIT)
    get_filename_component(wit "${ARG_WIT}" ABSOLUTE)
    set(sources "${wit}")
    if(IS_DIRECTORY "${wit}")
      file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${wit}/*.wit")
    endif()
    set(wanted)
    foreach(name IN LISTS ARG_INTERFACES)
      list(APPEND wanted --interface "${name}")
    endforeach()
    foreach(name IN LISTS ARG_WORLDS)
      list(APPEND wanted --world "${name}")
    endforeach()
    set(description "${folder}/description.json")
    add_custom_command(
      OUTPUT "${description}"
      COMMAND "${CMAKE_COMMAND}" -E make_directory "${folder}"
      COMMAND "${WEFT_WIT}" describe "${wit}" ${wanted} --out "${description}"
      DEPENDS ${sources} "${WEFT_WIT}"
      COMMENT "weft-wit describe ${ARG_WIT}" VERBATIM)
  else()
    get_filename_component(description "${description}" ABSOLUTE)
  endif()

  # The headers are not known before the WIT is read. One stamp stands for all of them, and what
  # includes one of them waits for the library.
  add_custom_command(
    OUTPUT "${unit}"
    COMMAND weft_bindgen_tool "${description}" --out "${folder}" --unit "${unit}"
    COMMAND "${CMAKE_COMMAND}" -E touch "${unit}"
    DEPENDS "${description}" weft_bindgen_tool
    COMMENT "weft-bindgen ${target}" VERBATIM)
  add_library(${target} STATIC "${unit}")
  target_include_directories(${target} PUBLIC "${folder}")
  target_link_libraries(${target} PUBLIC weft_door)
  # Many small functions: half the time under sanitizers is the optimizer's. No prelude, which is
  # compiled as the libraries are.
  target_compile_options(${target} PRIVATE $<$<NOT:$<CONFIG:Release>>:-O0>)
endfunction()
