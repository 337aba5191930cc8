# The program that relays media inside of the kernel (lib/media/kernel/relay.bpf.c), a component that may be left out:
# compiled by clang for the kernel's machine, and put as bytes into the library, which needs nothing at run time.
find_program(TANDEM_BPF_CLANG NAMES clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14
  DOC "clang with the target bpf")
# Headers of the system lie in a folder of the machine that clang does not look into for another target.
set(TANDEM_BPF_FLAGS -O2 -mcpu=v3 -target bpf -Wall -Wextra -Wno-unused-parameter -Wno-address-of-packed-member
  -I${PROJECT_SOURCE_DIR}/lib)
if(CMAKE_LIBRARY_ARCHITECTURE)
  list(APPEND TANDEM_BPF_FLAGS -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
endif()
set(found OFF)
if(TANDEM_BPF_CLANG)
  file(WRITE ${CMAKE_BINARY_DIR}/bpf_check.c "#include <linux/bpf.h>\n#include <linux/ip.h>\nint check(struct xdp_md* ctx) { return 0; }\n")
  execute_process(COMMAND ${TANDEM_BPF_CLANG} ${TANDEM_BPF_FLAGS} -c ${CMAKE_BINARY_DIR}/bpf_check.c
    -o ${CMAKE_BINARY_DIR}/bpf_check.o RESULT_VARIABLE refused OUTPUT_QUIET ERROR_QUIET)
  if(refused EQUAL 0)
    set(found ON)
  endif()
endif()
option(TANDEM_WITH_KERNEL_MEDIA "Build the media backend that relays in the kernel, which needs clang" ${found})
if(TANDEM_WITH_KERNEL_MEDIA AND NOT found)
  message(FATAL_ERROR "TANDEM_WITH_KERNEL_MEDIA needs a clang that compiles for bpf")
endif()

# Adds the program to `target`, or that there is none.
function(tandem_kernel_program target)
  set(folder ${PROJECT_SOURCE_DIR}/lib/media/kernel)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/relay.bpf.o)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/relay_object.cpp)
  set(made "")
  if(TANDEM_WITH_KERNEL_MEDIA)
    set(made ${object})
    add_custom_command(OUTPUT ${object}
      COMMAND ${TANDEM_BPF_CLANG} ${TANDEM_BPF_FLAGS} -c ${folder}/relay.bpf.c -o ${object}
      DEPENDS ${folder}/relay.bpf.c ${folder}/layout.h VERBATIM)
  endif()
  add_custom_command(OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${made} -DOUTPUT=${source} -P ${PROJECT_SOURCE_DIR}/cmake/EmbedProgram.cmake
    DEPENDS ${made} ${PROJECT_SOURCE_DIR}/cmake/EmbedProgram.cmake VERBATIM)
  target_sources(${target} PRIVATE ${source})
endfunction()
