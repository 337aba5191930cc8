# Zstandard, which archives of day files are compressed with: a component that may be left out.
# TANDEM_ARCHIVE_LIBRARIES: what it links; empty when it is not built.
set(TANDEM_ARCHIVE_LIBRARIES "")
tandem_optional_component(zstd libzstd>=1.4 "Build the archives of call records"
  LIBRARIES TANDEM_ARCHIVE_LIBRARIES)
