# cmake -C cmake/dev/tsan.cmake -S . -B build/tsan -G Ninja
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "" CACHE STRING "")  # its -g would beat the -g1 below
# Under a sanitizer GCC sees uninitialized values where there are none; the other builds keep that warning.
set(CMAKE_CXX_FLAGS "-fsanitize=thread -O1 -g1 -Wno-maybe-uninitialized" CACHE STRING "")
set(CMAKE_C_FLAGS "${CMAKE_CXX_FLAGS}" CACHE STRING "")
set(TANDEM_BUILD_PYTHON OFF CACHE BOOL "")
set(TANDEM_TEST_OPTIMIZATION -O0 CACHE STRING "")  # the library keeps -O1
