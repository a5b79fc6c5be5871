# Rust for the C++ build: cargo runs when a Rust file changed, and not otherwise.
#
# Cargo's target folder lies outside the checkout and is shared by all build trees, so that a clean
# clone does not pay for the engine again. What a tree links is its own copy of the result.

include_guard(GLOBAL)

set(_cache "$ENV{XDG_CACHE_HOME}")
if(NOT _cache)
  set(_cache "$ENV{HOME}/.cache")
endif()
set(WEFT_CARGO_TARGET_DIR "${_cache}/weft/cargo" CACHE PATH "Cargo's target folder")

execute_process(COMMAND "${CMAKE_SOURCE_DIR}/scripts/find-cargo.sh"
  OUTPUT_VARIABLE WEFT_CARGO OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _status)
if(NOT _status EQUAL 0)
  message(FATAL_ERROR "No cargo of at least 1.95: run `make build`, which installs one")
endif()

# weft_cargo(TARGET WHAT what ARTEFACT file [HEADERS file...])
#
# Makes the target TARGET, which builds what cargo calls so (--lib, --bin=weft-wit) and keeps its
# ARTEFACT (libweft_engine.a, weft-wit) in <build>/rust/. HEADERS are paths below cargo's cxxbridge
# folder, kept in <build>/rust/include. Properties of TARGET: ARTEFACT (the path of the copy) and
# INCLUDE.
function(weft_cargo target)
  cmake_parse_arguments(ARG "" "WHAT;ARTEFACT" "HEADERS" ${ARGN})
  set(folder "${CMAKE_BINARY_DIR}/rust")
  set(output "${folder}/${ARG_ARTEFACT}")
  set(headers ${ARG_HEADERS})
  list(TRANSFORM headers PREPEND "${folder}/include/")
  file(GLOB manifests "${CMAKE_SOURCE_DIR}/engine/*/Cargo.toml")
  add_custom_command(
    OUTPUT "${output}" ${headers}
    COMMAND "${CMAKE_SOURCE_DIR}/cmake/cargo_build.sh"
      "${WEFT_CARGO}" "${WEFT_CARGO_TARGET_DIR}" "${ARG_WHAT}" "${output}" ${ARG_HEADERS}
    DEPENDS
      "${CMAKE_SOURCE_DIR}/cmake/cargo_build.sh"
      "${CMAKE_SOURCE_DIR}/engine/Cargo.toml"
      "${CMAKE_SOURCE_DIR}/engine/Cargo.lock"
      ${manifests}
    DEPFILE "${output}.d"
    WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}/engine"
    COMMENT "cargo build ${ARG_WHAT}"
    USES_TERMINAL VERBATIM)
  add_custom_target(${target} DEPENDS "${output}" ${headers})
  set_target_properties(${target} PROPERTIES ARTEFACT "${output}" INCLUDE "${folder}/include")
endfunction()

# The toolchain program that bindings and guests are made with.
weft_cargo(weft_wit_rs WHAT --bin=weft-wit ARTEFACT weft-wit)
get_target_property(WEFT_WIT weft_wit_rs ARTEFACT)
