# cmake -C cmake/dev/tsan.cmake -S . -B build/tsan -G Ninja
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS "-fsanitize=thread -O1 -g1" CACHE STRING "")
set(CMAKE_C_FLAGS "${CMAKE_CXX_FLAGS}" CACHE STRING "")
set(TANDEM_BUILD_PYTHON OFF CACHE BOOL "")
