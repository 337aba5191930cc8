# cmake -C cmake/dev/fuzz.cmake -S . -B build/fuzz -G Ninja
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "" CACHE STRING "")  # its -g would beat the -g1 below
set(CMAKE_C_COMPILER clang CACHE STRING "")
set(CMAKE_CXX_COMPILER clang++ CACHE STRING "")
set(CMAKE_CXX_FLAGS "-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -O1 -g1" CACHE STRING "")
set(CMAKE_C_FLAGS "${CMAKE_CXX_FLAGS}" CACHE STRING "")
set(TANDEM_BUILD_FUZZERS ON CACHE BOOL "")
set(TANDEM_BUILD_EXAMPLES OFF CACHE BOOL "")
set(TANDEM_BUILD_PYTHON OFF CACHE BOOL "")
