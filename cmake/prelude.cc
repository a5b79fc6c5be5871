// What CMake makes a prelude with: see weft_prelude in weft.cmake.
