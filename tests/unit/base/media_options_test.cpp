#include "tandem/media_options.hpp"

#include <doctest/doctest.h>

using namespace tandem;

TEST_CASE("CodecName: names are read in any case and kept as they are registered") {
  CHECK(CodecName::parse("pcma").value() == CodecName{"PCMA", 0, false});
  CHECK(CodecName::parse("g729a").value().name == "G729");
  CHECK(CodecName::parse("G723.1").value().name == "G723");
  CHECK(CodecName::parse("vp8").value().is_video);
  CHECK(CodecName::parse("Speex/16000").value().to_string() == "speex/16000");
  CHECK(to_string({CodecName{"PCMA", 0, false}, CodecName{"L16", 44100, false}}) ==
        "PCMA,L16/44100");
  CHECK(registered_codec_name("ilbc") == "iLBC");
  CHECK(registered_codec_name("X-own") == "X-own");
}

TEST_CASE("CodecName: what is no codec, or goes beside them, is refused by name") {
  for (const char* text : {"", "PCMB", "PCMA/0", "PCMA/x", "PCMA/1000001", "PCMA/", "PC MA"}) {
    CAPTURE(text);
    CHECK(CodecName::parse(text).error().code == ErrorCode::invalid_argument);
  }
  CHECK(CodecName::parse("telephone-event").error().message ==
        "\"telephone-event\" goes beside the codecs, whatever they are");
  CHECK(CodecName::parse("pcmb").error().message == "\"pcmb\" is no codec");
}
