# cmake -C cmake/dev/asan.cmake -S . -B build/asan -G Ninja
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "" CACHE STRING "")  # its -g would beat the -g1 below
# Under a sanitizer GCC sees uninitialized values where there are none; the other builds keep that warning.
set(CMAKE_CXX_FLAGS "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g1 -Wno-maybe-uninitialized" CACHE STRING "")
set(CMAKE_C_FLAGS "${CMAKE_CXX_FLAGS}" CACHE STRING "")
set(TANDEM_TEST_OPTIMIZATION -O0 CACHE STRING "")  # half of the time that -O1 takes here; the library keeps that
