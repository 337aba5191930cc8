# Install rules: the library, its headers, find_package(tandem), pkg-config, tandem-switch, the Python module.
include(CMakePackageConfigHelpers)

install(TARGETS tandem EXPORT tandem-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/tandem DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT dev FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/tandem)
install(EXPORT tandem-targets NAMESPACE tandem:: DESTINATION ${config_folder} COMPONENT dev)
configure_package_config_file(cmake/tandem-config.cmake.in tandem-config.cmake INSTALL_DESTINATION ${config_folder})
# Before 1.0 a minor version may break the source; from then on a major one.
write_basic_package_version_file(tandem-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tandem-config.cmake ${PROJECT_BINARY_DIR}/tandem-config-version.cmake
  DESTINATION ${config_folder} COMPONENT dev)
configure_file(cmake/tandem.pc.in tandem.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tandem.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

# A prefix other than /usr is not searched for libraries before ldconfig has run: programs say where theirs is.
function(tandem_installed_rpath target folder)
  if(NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    file(RELATIVE_PATH up /prefix/${folder} /prefix/${CMAKE_INSTALL_LIBDIR})
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/${up}")
  endif()
endfunction()

if(TARGET tandem_sqlite)
  # Not where libraries are looked for: SQLite is told the path.
  tandem_installed_rpath(tandem_sqlite ${CMAKE_INSTALL_LIBDIR}/tandem)
  install(TARGETS tandem_sqlite LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/tandem COMPONENT switch)
endif()

if(TARGET tandem-switch)
  tandem_installed_rpath(tandem-switch ${CMAKE_INSTALL_BINDIR})
  install(TARGETS tandem-switch RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT switch)
endif()
if(TARGET tandem-load)
  install(TARGETS tandem-load RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT switch)
endif()
if(EXISTS ${PROJECT_SOURCE_DIR}/docs/tandem-switch.8)
  install(FILES ${PROJECT_SOURCE_DIR}/docs/tandem-switch.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT switch)
endif()

if(TANDEM_BUILD_PYTHON)
  set(modules "")
  get_property(python_targets DIRECTORY ${PROJECT_SOURCE_DIR}/bindings/python PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS python_targets)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "MODULE_LIBRARY")
      list(APPEND modules ${target})
    endif()
  endforeach()
  if(modules)
    if(NOT DEFINED TANDEM_PYTHON_DESTINATION)
      # Where the interpreter that the module was built for looks, below our prefix. Debian's interpreter names another
      # folder for its own packages (/usr) than for what is installed beside them (/usr/local), by scheme.
      find_package(Python3 REQUIRED COMPONENTS Interpreter)
      foreach(variable Python3_EXECUTABLE Python_EXECUTABLE PYTHON_EXECUTABLE)
        if(${variable})
          set(interpreter ${${variable}})
        endif()
      endforeach()
      execute_process(OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY
        OUTPUT_VARIABLE TANDEM_PYTHON_DESTINATION COMMAND ${interpreter} -c "
import sys, sysconfig
debian = 'deb_system' in sysconfig.get_scheme_names()
scheme = 'deb_system' if debian and sys.argv[1] == '/usr' else 'posix_prefix'
path = sysconfig.get_path('platlib', scheme, {'base': '', 'platbase': ''}).lstrip('/')
print(path.replace('site-packages', 'dist-packages') if debian else path)
" ${CMAKE_INSTALL_PREFIX})
    endif()
    foreach(module IN LISTS modules)
      tandem_installed_rpath(${module} ${TANDEM_PYTHON_DESTINATION}/tandem)
      install(TARGETS ${module} LIBRARY DESTINATION ${TANDEM_PYTHON_DESTINATION}/tandem COMPONENT python)
    endforeach()
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/bindings/python/tandem DESTINATION ${TANDEM_PYTHON_DESTINATION}
      COMPONENT python FILES_MATCHING PATTERN "*.py" PATTERN "*.pyi" PATTERN "py.typed")
  endif()
endif()
