# What every folder's CMakeLists.txt is written with: one library, its tests, its benches.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(GTest QUIET)
find_package(benchmark QUIET)

# What `run` needs is less than what the tests need: `make test` installs the rest and turns this
# on.
option(WEFT_TESTS "Build the tests" ${GTest_FOUND})
if(WEFT_TESTS)
  find_package(GTest REQUIRED)
endif()

option(WEFT_UNITY
  "Compile several sources of a library at once: quicker where all of it is built" OFF)

add_library(weft_options INTERFACE)
target_include_directories(weft_options INTERFACE "${CMAKE_SOURCE_DIR}/src")
target_compile_options(weft_options INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -Werror -Wno-unused-parameter
  -fno-omit-frame-pointer $<$<CONFIG:Release>:-g1>)
target_compile_definitions(weft_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
target_link_libraries(weft_options INTERFACE Threads::Threads fmt::fmt)
target_link_options(weft_options INTERFACE -fuse-ld=lld-22)

if(WEFT_SANITIZE)
  target_compile_options(weft_options INTERFACE
    -fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(weft_options INTERFACE -fsanitize=${WEFT_SANITIZE})
endif()
if(WEFT_FUZZ)
  target_compile_options(weft_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(WEFT_COVERAGE)
  target_compile_options(weft_options INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(weft_options INTERFACE -fprofile-instr-generate)
endif()

# What most sources include is parsed once, which is more than half of the time that each takes:
# cmake/prelude.h, and for tests cmake/test_prelude.h. Each source still includes what it uses: make
# lint reads them without. A prelude names its folder inside, so ccache does not keep it, and knows
# it by its sum: what is compiled with it fits in another checkout too.
option(WEFT_PRELUDE "Precompile what most sources include" ON)
set(CMAKE_PCH_INSTANTIATE_TEMPLATES ON)
# Sources of tests are as many as those of weft, wait for servers, and are not optimized.
set(_test_options -O0)

function(weft_prelude name)
  set(header "${CMAKE_SOURCE_DIR}/cmake/${name}.h")
  add_library(${name} OBJECT "${CMAKE_SOURCE_DIR}/cmake/prelude.cc")
  target_link_libraries(${name} PRIVATE weft_options Boost::headers Boost::json ${ARGN})
  target_precompile_headers(${name} PRIVATE "${header}")
  target_compile_options(${name} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  set_target_properties(${name} PROPERTIES CXX_COMPILER_LAUNCHER "")

  # All that it consists of, and this file, which says how it is compiled. What is compiled with the
  # prelude waits for this, and by it for the prelude.
  set(made "${CMAKE_BINARY_DIR}/CMakeFiles/${name}.dir/cmake_pch.hxx.pch")
  set(sum "${made}.sum")
  string(CONCAT command
    "${CMAKE_CXX_COMPILER} -std=c++23 -E -P -x c++-header '${header}' |"
    " cat - '${CMAKE_SOURCE_DIR}/cmake/weft.cmake' | sha256sum >'${sum}'")
  add_custom_command(OUTPUT "${sum}" COMMAND sh -c "${command}"
    DEPENDS "${made}" "${CMAKE_SOURCE_DIR}/cmake/weft.cmake" VERBATIM)
  add_custom_target(${name}_sum DEPENDS "${sum}")
endfunction()

if(WEFT_PRELUDE)
  find_package(Boost 1.81 REQUIRED COMPONENTS json)
  weft_prelude(prelude)
  if(WEFT_TESTS)
    weft_prelude(test_prelude GTest::gmock)
    target_compile_options(test_prelude PRIVATE ${_test_options})
  endif()
endif()

# weft_uses_prelude(target prelude|test_prelude)
#
# By a path relative to the build tree, where CMake's own REUSE_FROM has a whole one, which ccache
# would not take for the same in another checkout.
function(weft_uses_prelude target prelude)
  if(WEFT_PRELUDE)
    set(made "CMakeFiles/${prelude}.dir/cmake_pch.hxx.pch")
    target_compile_options(${target} PRIVATE
      "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -include-pch -Xclang ${made}>")
    add_dependencies(${target} ${prelude}_sum)
  endif()
endfunction()

# What is built only when asked for.
add_custom_target(benches)
add_custom_target(fuzzers)

# weft_library(base [ALONE] [PACKAGED] SOURCES a.cc b.cc TESTS a_test.cc DEPENDS weft_other ...)
#
# ALONE: its sources use the same names for different things, and are never compiled together.
# PACKAGED: it goes into the SDK for providers, of which others link the objects that they use and
# no more: in a release they are not compiled together.
# Makes the library weft_<name> and, where there are tests, one program weft_<name>_test that the
# test run finds by its name.
function(weft_library name)
  cmake_parse_arguments(ARG "ALONE;PACKAGED" "" "SOURCES;TESTS;DEPENDS;TEST_DEPENDS" ${ARGN})
  if(ARG_SOURCES)
    add_library(weft_${name} STATIC ${ARG_SOURCES})
    target_link_libraries(weft_${name} PUBLIC weft_options ${ARG_DEPENDS})
    weft_uses_prelude(weft_${name} prelude)
    set(together ${WEFT_UNITY})
    if(ARG_ALONE OR (ARG_PACKAGED AND CMAKE_BUILD_TYPE STREQUAL "Release"))
      set(together OFF)
    endif()
    if(together)
      set_target_properties(weft_${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    endif()
  else()
    add_library(weft_${name} INTERFACE)
    target_link_libraries(weft_${name} INTERFACE weft_options ${ARG_DEPENDS})
  endif()
  if(ARG_TESTS)
    weft_test(${name} SOURCES ${ARG_TESTS} DEPENDS weft_${name} ${ARG_TEST_DEPENDS})
  endif()
endfunction()

# weft_test(name SOURCES a_test.cc DEPENDS ...): a GoogleTest program weft_<name>_test.
function(weft_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  if(NOT WEFT_TESTS)
    return()
  endif()
  add_executable(weft_${name}_test ${ARG_SOURCES})
  target_link_libraries(weft_${name}_test PRIVATE ${ARG_DEPENDS} GTest::gmock GTest::gtest_main)
  target_compile_options(weft_${name}_test PRIVATE ${_test_options})
  weft_uses_prelude(weft_${name}_test test_prelude)
  set_target_properties(weft_${name}_test PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND weft_${name}_test)
  set_property(GLOBAL APPEND PROPERTY WEFT_TESTS weft_${name}_test)
endfunction()

# weft_bench(name SOURCES a_bench.cc DEPENDS ...): a Google Benchmark program weft_<name>_bench, not
# part of the default build.
function(weft_bench name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  if(NOT benchmark_FOUND)
    return()
  endif()
  add_executable(weft_${name}_bench EXCLUDE_FROM_ALL ${ARG_SOURCES})
  target_link_libraries(weft_${name}_bench PRIVATE ${ARG_DEPENDS} benchmark::benchmark)
  set_target_properties(weft_${name}_bench PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bench")
  add_dependencies(benches weft_${name}_bench)
endfunction()

# weft_fuzzer(name SOURCES a_fuzz.cc DEPENDS ...): a libFuzzer program weft_<name>_fuzz, built where
# WEFT_FUZZ is on. A source of the folder's library that it compiles again is in no unity of that
# library, whose object would bring the same functions a second time.
function(weft_fuzzer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  if(NOT WEFT_FUZZ)
    return()
  endif()
  set_source_files_properties(${ARG_SOURCES} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  add_executable(weft_${name}_fuzz ${ARG_SOURCES})
  target_link_libraries(weft_${name}_fuzz PRIVATE ${ARG_DEPENDS})
  target_compile_options(weft_${name}_fuzz PRIVATE -fsanitize=fuzzer)
  target_link_options(weft_${name}_fuzz PRIVATE -fsanitize=fuzzer)
  set_target_properties(weft_${name}_fuzz PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
  add_dependencies(fuzzers weft_${name}_fuzz)
endfunction()
