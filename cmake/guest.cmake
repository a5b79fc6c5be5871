# Components written in C and C++, built beside the host.
#
# They are compiled by the host's own clang for wasm32-wasi, bound to their world by weft-wit, and
# land in <build>/guests. The target `guests` makes them all; it is part of the default build where
# the tests are.

include_guard(GLOBAL)

set(WEFT_GUESTS "${CMAKE_BINARY_DIR}/guests")
file(MAKE_DIRECTORY "${WEFT_GUESTS}")
if(WEFT_TESTS)
  add_custom_target(guests ALL)
else()
  add_custom_target(guests)
endif()

set(_guest_flags --target=wasm32-wasi -Wno-deprecated -Wall -Wextra -Werror -O2
  -ffunction-sections -fdata-sections)
set(_guest_c_flags ${_guest_flags} -std=gnu17 -Wno-unused-parameter)
set(_guest_cxx_flags ${_guest_flags} -std=c++23 -fno-exceptions -fno-rtti
  "-I${CMAKE_SOURCE_DIR}/sdk/cpp" -Wno-unused-parameter -Wno-missing-field-initializers)

# Compiles one file of a guest, with the caller's `defines`; appends to the caller's `objects`.
function(_weft_guest_object guest source include wanted)
  get_filename_component(stem "${source}" NAME)
  set(object "${CMAKE_CURRENT_BINARY_DIR}/${guest}/${stem}.o")
  if(source MATCHES "\\.c$")
    set(compiler ${CMAKE_C_COMPILER_LAUNCHER} "${CMAKE_C_COMPILER}" ${_guest_c_flags})
  else()
    set(compiler ${CMAKE_CXX_COMPILER_LAUNCHER} "${CMAKE_CXX_COMPILER}" ${_guest_cxx_flags})
  endif()
  add_custom_command(OUTPUT "${object}"
    COMMAND ${compiler} ${defines} "-I${include}" -MMD -MF "${object}.d"
      -c "${source}" -o "${object}"
    DEPENDS "${source}" ${wanted} DEPFILE "${object}.d"
    COMMENT "Guest ${guest}: ${stem}" VERBATIM)
  set(objects ${objects} "${object}" PARENT_SCOPE)
endfunction()

# weft_guest(name SOURCES file... [WIT folder] [WIT_DEPENDS folder...]
#            [WORLD name] [ADAPT none|command|reactor|proxy] [DEFINES name...] [CPP] [NAMES]
#            [MODULE] [ON_DEMAND])
#
# Makes the target guest_<name> and the file <build>/guests/<name>.wasm.
#   WIT     the folder of the package whose world the component is written for: the bindings are
#           "guest.h". Without it the guest has what its libc and the adapter give it.
#   WIT_DEPENDS  folders or files of packages that the world uses, beside WASI.
#   WORLD   which one, where the package has several.
#   CPP     the bindings are "guest.hpp" instead.
#   ADAPT   how WASI 0.1, which the libc speaks, becomes 0.2: command (the default without WIT) or
#           reactor (the default with it).
#   NAMES   keeps the names of functions, which backtraces show.
#   MODULE  leaves the core module as it is.
#   ON_DEMAND  is not part of the target `guests`.
function(weft_guest name)
  cmake_parse_arguments(ARG
    "CPP;NAMES;MODULE;ON_DEMAND" "WIT;WORLD;ADAPT" "SOURCES;WIT_DEPENDS;DEFINES" ${ARGN})
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${name}")
  set(output "${WEFT_GUESTS}/${name}.wasm")
  file(MAKE_DIRECTORY "${folder}/gen")
  set(objects)
  set(bindings)
  set(defines ${ARG_DEFINES})
  list(TRANSFORM defines PREPEND "-D")
  if(ARG_WIT)
    get_filename_component(wit "${ARG_WIT}" ABSOLUTE)
    file(GLOB_RECURSE wit_files "${wit}/*.wit")
    set(more)
    foreach(dependency IN LISTS ARG_WIT_DEPENDS)
      file(GLOB_RECURSE files "${dependency}/*.wit")
      list(APPEND wit_files ${files})
      list(APPEND more --dep "${dependency}")
    endforeach()
    # The program is an order-only dependency: linking it again does not build the guests again.
    if(ARG_CPP)
      set(bindings "${folder}/gen/guest.hpp" "${folder}/gen/guest.cc")
      set(code "${folder}/gen/guest.cc")
      add_custom_command(OUTPUT ${bindings}
        COMMAND "${WEFT_WIT}" describe "${wit}" ${more} --world "${ARG_WORLD}"
          --out "${folder}/gen/description.json"
        COMMAND weft_bindgen_tool "${folder}/gen/description.json" --guest --out "${folder}/gen"
        COMMAND "${CMAKE_COMMAND}" -E touch ${bindings}
        DEPENDS ${wit_files} weft_wit_rs weft_bindgen_tool
        COMMENT "Guest ${name}: bindings" VERBATIM)
    else()
      set(bindings "${folder}/gen/guest.h" "${folder}/gen/guest.c"
        "${folder}/gen/guest_component_type.o")
      set(code "${folder}/gen/guest.c")
      set(world)
      if(ARG_WORLD)
        set(world --world "${ARG_WORLD}")
      endif()
      add_custom_command(OUTPUT ${bindings}
        COMMAND "${WEFT_WIT}" guest-c "${wit}" ${more} ${world} --out "${folder}/gen"
        COMMAND "${CMAKE_COMMAND}" -E touch ${bindings}
        DEPENDS ${wit_files} weft_wit_rs
        COMMENT "Guest ${name}: bindings" VERBATIM)
    endif()
    _weft_guest_object(${name} "${code}" "${folder}/gen" "${bindings}")
  endif()
  set(adapt ${ARG_ADAPT})
  if(NOT adapt)
    set(adapt command)
    if(ARG_WIT)
      set(adapt reactor)
    endif()
  endif()
  set(sources ${ARG_SOURCES})
  if(adapt STREQUAL "command" AND NOT ARG_MODULE)
    list(APPEND sources "${CMAKE_SOURCE_DIR}/sdk/cpp/weft/command_start.c")
  endif()
  foreach(source IN LISTS sources)
    get_filename_component(source "${source}" ABSOLUTE)
    _weft_guest_object(${name} "${source}" "${folder}/gen" "${bindings}")
  endforeach()
  # As weft build links: see kHeapBytes there.
  set(link --target=wasm32-wasi -Wno-deprecated -Wl,--gc-sections -Wl,--initial-heap=131072
    -fno-exceptions)
  if(adapt STREQUAL "reactor" OR adapt STREQUAL "proxy" OR adapt STREQUAL "none")
    list(APPEND link -mexec-model=reactor)
  elseif(NOT ARG_MODULE)
    list(APPEND link -nostartfiles)
  endif()
  if(ARG_NAMES)
    list(APPEND link -Wl,--strip-debug)
  else()
    list(APPEND link -Wl,-s)
  endif()
  if(ARG_WIT AND NOT ARG_CPP)
    list(APPEND objects "${folder}/gen/guest_component_type.o")
  endif()
  if(ARG_MODULE)
    add_custom_command(OUTPUT "${output}"
      COMMAND "${CMAKE_CXX_COMPILER}" ${link} ${objects} -o "${output}"
      DEPENDS ${objects} COMMENT "Guest ${name}" VERBATIM)
  else()
    add_custom_command(OUTPUT "${output}"
      COMMAND "${CMAKE_CXX_COMPILER}" ${link} ${objects} -o "${folder}/core.wasm"
      COMMAND "${WEFT_WIT}" component "${folder}/core.wasm" --adapt ${adapt} -o "${output}"
      DEPENDS ${objects} weft_wit_rs COMMENT "Guest ${name}" VERBATIM)
  endif()
  add_custom_target(guest_${name} DEPENDS "${output}")
  if(NOT ARG_ON_DEMAND)
    add_dependencies(guests guest_${name})
  endif()
endfunction()
