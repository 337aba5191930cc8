# The libraries of audio codecs that the relay can convert, each a component that may be left out.
# TANDEM_CODECS: those that are built; TANDEM_CODEC_LIBRARIES: what they link. libspandsp is under the LGPL 2.1, which wants
# that its user can put another one in its place: only the shared library is linked. G.729 is not here: its free library, bcg729, is under the GPL.
set(TANDEM_CODECS "")
set(TANDEM_CODEC_LIBRARIES "")
tandem_optional_component(g722 spandsp "Convert audio from and to g722"
  NAMES TANDEM_CODECS LIBRARIES TANDEM_CODEC_LIBRARIES)
tandem_optional_component(opus opus "Convert audio from and to opus"
  NAMES TANDEM_CODECS LIBRARIES TANDEM_CODEC_LIBRARIES)
