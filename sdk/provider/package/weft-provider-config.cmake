# find_package(weft-provider): the target weft::provider, for programs that serve interfaces to
# weft; weft::http_client, where libcurl and OpenSSL are, for those that include
# io/http_client/http_client.h; and
#
#   weft_provider_bindings(target WIT path INTERFACE name...)
#
# which makes the library `target` with the C++ bindings of interfaces, by `weft bindgen`.

include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(fmt)
find_dependency(Boost COMPONENTS json)

get_filename_component(_weft_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(WEFT_EXECUTABLE "${_weft_prefix}/bin/weft" CACHE FILEPATH "The weft that makes bindings")

if(NOT TARGET weft::provider)
  add_library(weft::provider STATIC IMPORTED)
  set_target_properties(weft::provider PROPERTIES
    IMPORTED_LOCATION "${_weft_prefix}/lib/libweft-provider.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_weft_prefix}/include/weft-provider"
    INTERFACE_COMPILE_FEATURES cxx_std_23
    INTERFACE_COMPILE_DEFINITIONS
      "BOOST_ASIO_NO_DEPRECATED;BOOST_ASIO_DISABLE_BOOST_COROUTINE"
    INTERFACE_LINK_LIBRARIES "fmt::fmt;Boost::json;Threads::Threads")
endif()

find_package(CURL QUIET)
find_package(OpenSSL QUIET)
if(CURL_FOUND AND OPENSSL_FOUND AND NOT TARGET weft::http_client)
  add_library(weft::http_client INTERFACE IMPORTED)
  set_target_properties(weft::http_client PROPERTIES
    INTERFACE_LINK_LIBRARIES "weft::provider;CURL::libcurl;OpenSSL::SSL")
endif()

function(weft_provider_bindings target)
  cmake_parse_arguments(ARG "" "WIT" "INTERFACE" ${ARGN})
  get_filename_component(wit "${ARG_WIT}" ABSOLUTE)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}")
  set(wanted)
  foreach(name IN LISTS ARG_INTERFACE)
    list(APPEND wanted --interface "${name}")
  endforeach()
  # Now, and again when the WIT changes: the names of the files are not known before.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${wit}")
  execute_process(COMMAND "${WEFT_EXECUTABLE}" bindgen "${wit}" ${wanted} --out "${folder}"
    COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB_RECURSE sources "${folder}/*.cc")
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC "${folder}")
  target_link_libraries(${target} PUBLIC weft::provider)
endfunction()
