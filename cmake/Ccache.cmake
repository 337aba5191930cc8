# Compile through ccache where it is installed. Its folder and size are the user's own. Paths count from the top of
# the tree, the compiler is known by its content and the language of its messages is left aside, so that one clone
# finds what another compiled, in whatever environment.
find_program(TANDEM_CCACHE ccache)
if(TANDEM_CCACHE AND PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_COMPILERCHECK=content CCACHE_SLOPPINESS=locale ${TANDEM_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
