// A table of descriptions and settings, and what they become (M-07, M-08, M-10).
#include "sip/sdp_policy.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/sip/messages.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

namespace {

std::vector<CodecName> list(const std::vector<std::string>& names) {
  std::vector<CodecName> codecs;
  for (const std::string& name : names)
    codecs.push_back(CodecName::parse(name).value());
  return codecs;
}

std::string session(const std::string& streams) {
  return "v=0\r\no=x 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" + streams;
}

struct Sides {
  SdpPolicy sender, receiver;
};

/// What direct media becomes: only codecs change.
Result<std::string> passed(const std::string& text, SdpRole role, const Sides& sides) {
  const Result<SdpSession> read = parse_sdp(text);
  REQUIRE(read.ok());
  SdpEdit edit;
  edit.is_direct = true;
  edit.streams.resize(read->media_count);
  for (std::size_t i = 0; i < read->media_count; ++i)
    edit.streams[i].is_refused = read->media[i].port == 0;
  if (auto applied = apply_policies(*read, role, sides.sender, sides.receiver, edit); !applied)
    return applied.error();
  return rewrite_sdp(*read, edit);
}

/// What relayed media becomes.
Result<std::string> relayed(const std::string& text, SdpRole role, const Sides& sides) {
  const Result<SdpSession> read = parse_sdp(text);
  REQUIRE(read.ok());
  SdpEdit edit;
  edit.session_id = edit.session_version = 1;
  edit.origin_address = IpAddress::ipv4(192, 0, 2, 1);
  edit.streams.resize(read->media_count);
  for (SdpStreamEdit& stream : edit.streams) {
    stream.address = edit.origin_address;
    stream.port = 4000;
  }
  if (auto applied = apply_policies(*read, role, sides.sender, sides.receiver, edit); !applied)
    return applied.error();
  return rewrite_sdp(*read, edit);
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Names of the first stream, or "refused", or "mismatch".
std::string names(const std::string& text, SdpRole role, const Sides& sides) {
  const Result<std::string> out = passed(text, role, sides);
  if (!out) return out.error().code == ErrorCode::unsupported ? "mismatch" : out.error().message;
  const Result<SdpSession> read = parse_sdp(*out);
  REQUIRE(read.ok());
  return read->media[0].port == 0 ? "refused" : sdp_codec_names(read->media[0]);
}

}  // namespace

TEST_CASE("M-07: what both lists have passes, in the order of who gets the offer") {
  struct Row {
    const char* what;
    std::string stream;
    std::vector<std::string> sender, receiver;
    std::string offered, answered;
  };
  const std::string wide =
      "m=audio 4000 RTP/AVP 0 8 18 101\r\na=rtpmap:101 telephone-event/8000\r\n";
  const std::string opus =
      "m=audio 4000 RTP/AVP 96 9 13 97 98 99\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 "
      "CN/16000\r\n"
      "a=rtpmap:98 telephone-event/48000\r\na=rtpmap:99 telephone-event/8000\r\n";
  for (const Row& row : {
           Row{"no list",
               wide,
               {},
               {},
               "PCMU,PCMA,G729,telephone-event",
               "PCMU,PCMA,G729,telephone-event"},
           Row{"the receiver's order",
               wide,
               {},
               {"G729", "PCMA"},
               "G729,PCMA,telephone-event",
               "PCMA,G729,telephone-event"},
           Row{"the sender's list has no order for others",
               wide,
               {"G729", "PCMU"},
               {},
               "PCMU,G729,telephone-event",
               "PCMU,G729,telephone-event"},
           Row{"both",
               wide,
               {"PCMU", "PCMA"},
               {"G729", "PCMA", "PCMU"},
               "PCMA,PCMU,telephone-event",
               "PCMU,PCMA,telephone-event"},
           Row{"nothing left", wide, {}, {"G722"}, "mismatch", "mismatch"},
           Row{"nothing in common", wide, {"PCMU"}, {"PCMA"}, "mismatch", "mismatch"},
           Row{"a list of video alone is not about audio",
               wide,
               {"H264"},
               {"VP8"},
               "PCMU,PCMA,G729,telephone-event",
               "PCMU,PCMA,G729,telephone-event"},
           Row{"another spelling is the same codec",
               "m=audio 4000 RTP/AVP 18 97\r\na=rtpmap:18 g729A/8000\r\na=rtpmap:97 ILBC/8000\r\n",
               {},
               {"iLBC", "G729"},
               "ILBC,g729A",
               "g729A,ILBC"},
           Row{"what nothing names is no codec of a list",
               "m=audio 4000 RTP/AVP 96 8\r\n",
               {},
               {"PCMA"},
               "PCMA",
               "PCMA"},
           Row{"a name with a clock",
               "m=audio 4000 RTP/AVP 96 97\r\na=rtpmap:96 speex/8000\r\na=rtpmap:97 "
               "speex/16000\r\n",
               {},
               {"speex/16000"},
               "speex",
               "speex"},
           Row{"events and noise keep the clock of a codec that is kept",
               opus,
               {},
               {"opus"},
               "opus,telephone-event",
               "opus,telephone-event"},
           Row{"... and of the other one",
               opus,
               {},
               {"G722"},
               "G722,CN,telephone-event",
               "G722,CN,telephone-event"},
           Row{"events of another clock are better than none",
               "m=audio 4000 RTP/AVP 96 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 "
               "telephone-event/8000\r\n",
               {},
               {"opus"},
               "opus,telephone-event",
               "opus,telephone-event"},
           Row{"redundancy goes with what it repeats",
               "m=audio 4000 RTP/AVP 96 97 0 8\r\na=rtpmap:96 RED/8000\r\na=fmtp:96 0/0\r\n"
               "a=rtpmap:97 RED/8000\r\na=fmtp:97 8/8\r\n",
               {},
               {"PCMU"},
               "PCMU,RED",
               "PCMU,RED"},
           Row{"events alone are nothing to choose from",
               "m=audio 4000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n",
               {},
               {"PCMU"},
               "telephone-event",
               "telephone-event"},
       }) {
    CAPTURE(row.what);
    const auto of_sender = list(row.sender);
    const auto of_receiver = list(row.receiver);
    const Sides sides{{of_sender}, {of_receiver}};
    CHECK(names(session(row.stream), SdpRole::offer, sides) == row.offered);
    CHECK(names(session(row.stream), SdpRole::answer, sides) == row.answered);
  }
}

TEST_CASE("M-07: payload types stay, and lines of what is gone go with it") {
  const auto codecs = list({"iLBC", "PCMA"});
  const std::string out =
      passed(
          session("m=audio 4000/2 RTP/AVP 0 8 97 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:97 "
                  "iLBC/8000\r\na=fmtp:97 mode=20\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:"
                  "101 0-15\r\na=rtcp-fb:0 nack\r\na=candidate:1 1 UDP 1 192.0.2.5 5 typ host\r\n"
                  "a=ptime:20\r\n"),
          SdpRole::offer, {{}, {codecs}})
          .value();
  CHECK(out ==
        session("m=audio 4000/2 RTP/AVP 97 8 101\r\na=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=20\r\n"
                "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
                "a=candidate:1 1 UDP 1 192.0.2.5 5 typ host\r\na=ptime:20\r\n"));
}

TEST_CASE("M-07: a stream that keeps nothing is refused at its place, others go on") {
  const std::string text = session(
      "m=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\nm=video 4004 "
      "RTP/AVP 31 34\r\nm=image 4006 udptl t38\r\n");
  const auto pcma = list({"PCMA"});
  Result<SdpSession> read = parse_sdp(passed(text, SdpRole::offer, {{}, {pcma}}).value());
  std::string kept = passed(text, SdpRole::offer, {{}, {pcma}}).value();
  read = parse_sdp(kept);
  REQUIRE(read.ok());
  REQUIRE(read->media_count == 4);
  CHECK(read->media[0].port == 0);
  CHECK(read->media[1].port == 4002);
  CHECK(read->media[2].port == 4004);  // video passes where no list is about it
  CHECK(read->media[3].port == 4006);
  const auto video = list({"PCMA", "H263"});
  kept = passed(text, SdpRole::offer, {{}, {video}}).value();
  read = parse_sdp(kept);
  REQUIRE(read.ok());
  CHECK(read->media[2].formats == "34");
  const auto other_video = list({"PCMA", "H264"});
  kept = passed(text, SdpRole::offer, {{}, {other_video}}).value();
  read = parse_sdp(kept);
  REQUIRE(read.ok());
  CHECK(read->media[2].port == 0);
  CHECK(read->media[1].port == 4002);
}

TEST_CASE("M-07: without settings a description passes byte for byte") {
  const std::string text =
      "v=0\no=x 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nm=audio 4000  RTP/AVP 8  0\na=x";
  CHECK(passed(text, SdpRole::offer, {}).value() == text);
  const auto both = list({"PCMA", "PCMU"});  // and with lists that change nothing
  CHECK(passed(text, SdpRole::offer, {{}, {both}}).value() == text);
}

TEST_CASE("M-08: annexb is what the other side says, a value of its own, or nothing") {
  using enum AnnexMode;
  const std::string rtpmap = "m=audio 4000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n";
  const std::string bare = "m=audio 4000 RTP/AVP 18\r\n";
  struct Row {
    std::string stream;
    AnnexMode sender, receiver;
    std::string expected;
  };
  const std::string says_no = rtpmap + "a=fmtp:18 annexb=no\r\n";
  const std::string says_yes = rtpmap + "a=fmtp:18 annexb=yes\r\n";
  for (const Row& row : {
           Row{rtpmap, auto_mode, auto_mode, rtpmap},
           Row{says_no, auto_mode, auto_mode, says_no},
           Row{says_no, auto_mode, yes, says_yes},
           Row{says_yes, auto_mode, no, says_no},
           Row{says_no, auto_mode, omit, rtpmap},
           Row{rtpmap, auto_mode, no, says_no},
           Row{rtpmap, auto_mode, pass, says_yes},
           Row{says_no, auto_mode, pass, says_no},
           Row{bare, auto_mode, no, bare + "a=fmtp:18 annexb=no\r\n"},
           Row{bare, auto_mode, omit, bare},
           Row{says_yes, no, auto_mode, says_no},  // who is told no does not do it either
           Row{says_yes, no, omit, rtpmap},
           Row{says_yes, yes, auto_mode, says_yes},
           Row{rtpmap + "a=fmtp:18 x=1; AnnexB = no;y=2\r\n", auto_mode, yes,
               rtpmap + "a=fmtp:18 x=1;y=2;annexb=yes\r\n"},
           Row{rtpmap + "a=fmtp:18 x=1; ANNEXB=no ;y=2\r\n", auto_mode, yes,
               rtpmap + "a=fmtp:18 x=1;y=2;annexb=yes\r\n"},
       }) {
    CAPTURE(row.stream);
    CAPTURE(annex_mode_name(row.sender));
    CAPTURE(annex_mode_name(row.receiver));
    SdpPolicy sender, receiver;
    sender.annexb = row.sender;
    receiver.annexb = row.receiver;
    CHECK(passed(session(row.stream), SdpRole::offer, {sender, receiver}).value() ==
          session(row.expected));
  }
}

TEST_CASE("M-08: annexa is of G.723.1 alone, annexb of G.729 alone") {
  SdpPolicy receiver;
  receiver.annexa = AnnexMode::no;
  const std::string g729 = session("m=audio 4000 RTP/AVP 18\r\n");
  CHECK(passed(g729, SdpRole::answer, {{}, receiver}).value() == g729);
  const std::string g723 = session("m=audio 4000 RTP/AVP 4\r\na=rtpmap:4 G723/8000\r\n");
  CHECK(passed(g723, SdpRole::answer, {{}, receiver}).value() == g723 + "a=fmtp:4 annexa=no\r\n");
}

TEST_CASE("M-08: G.729 has the name that its side knows, and in an answer that of the offer") {
  using enum G729Mode;
  const std::string bare = "m=audio 4000 RTP/AVP 8 18\r\n";
  const std::string plain = bare + "a=rtpmap:18 G729/8000\r\n";
  const std::string simple = bare + "a=rtpmap:18 G729A/8000\r\n";
  struct Row {
    std::string stream;
    G729Mode mode;
    std::string expected;
  };
  for (const Row& row :
       {Row{plain, auto_mode, plain}, Row{plain, g729, plain}, Row{plain, g729a, simple},
        Row{simple, g729, plain}, Row{simple, g729a, simple}, Row{bare, g729, bare},
        Row{bare, g729a, simple},
        Row{plain + "a=fmtp:18 annexb=no\r\n", g729a, simple + "a=fmtp:18 annexb=no\r\n"},
        Row{bare + "a=fmtp:18 annexb=no\r\n", g729a,
            bare + "a=fmtp:18 annexb=no\r\na=rtpmap:18 G729A/8000\r\n"},
        Row{plain, both, plain}}) {  // direct media cannot have another number
    CAPTURE(row.stream);
    CAPTURE(g729_mode_name(row.mode));
    SdpPolicy receiver;
    receiver.g729_mode = row.mode;
    for (const SdpRole role : {SdpRole::offer, SdpRole::answer})
      CHECK(passed(session(row.stream), role, {{}, receiver}).value() == session(row.expected));
    // Who described it is told nothing by it.
    CHECK(passed(session(row.stream), SdpRole::offer, {receiver, {}}).value() ==
          session(row.stream));
  }
  // Who offered one name and gets an answer of the other's is answered with its own.
  SdpPolicy sender, receiver;
  sender.g729_mode = g729a;
  const std::vector<SdpTaken> took{{"G729", 8000, 1, 18}};
  receiver.taken = took;
  CHECK(passed(session(simple), SdpRole::answer, {sender, receiver}).value() == session(plain));
  receiver.annexb = AnnexMode::no;
  CHECK(passed(session(simple), SdpRole::answer, {sender, receiver}).value() ==
        session(plain + "a=fmtp:18 annexb=no\r\n"));
}

TEST_CASE("M-08: both names of G.729 are offered by numbers of their own, and one comes back") {
  SdpPolicy caller, callee;
  callee.g729_mode = G729Mode::both;
  const std::string offer = session(
      "m=audio 4000 RTP/AVP 18 96\r\na=rtpmap:96 telephone-event/8000\r\n"
      "a=fmtp:18 annexb=no\r\n");
  const std::string offered = relayed(offer, SdpRole::offer, {caller, callee}).value();
  CHECK(has(offered, "RTP/AVP 18 96 97\r\n"));
  CHECK(has(offered, "a=rtpmap:97 G729A/8000\r\na=fmtp:97 annexb=no\r\n"));
  const std::vector<SdpTaken> took{{"G729", 8000, 1, 18}, {"telephone-event", 8000, 1, 96}};
  caller.taken = took;
  const auto answered = [&](const std::string& stream) {
    return relayed(session(stream), SdpRole::answer, {callee, caller}).value();
  };
  const std::string events = "a=rtpmap:96 telephone-event/8000\r\n";
  std::string shown = answered("m=audio 5000 RTP/AVP 97 96\r\na=rtpmap:97 G729A/8000\r\n" + events);
  CHECK(has(shown, "RTP/AVP 18 96\r\n"));
  CHECK(has(shown, "a=rtpmap:18 G729/8000\r\n"));
  CHECK_FALSE(has(shown, ":97 "));
  shown = answered("m=audio 5000 RTP/AVP 18 97 96\r\na=rtpmap:97 G729A/8000\r\n" + events);
  CHECK(has(shown, "RTP/AVP 18 96\r\n"));
  CHECK_FALSE(has(shown, ":97 "));
  // Who offers both itself keeps them.
  const std::string two =
      session("m=audio 4000 RTP/AVP 18 97\r\na=rtpmap:18 G729/8000\r\na=rtpmap:97 G729A/8000\r\n");
  CHECK(has(relayed(two, SdpRole::offer, {{}, callee}).value(), "RTP/AVP 18 97\r\n"));
}

TEST_CASE(
    "M-09: telephone events have the number that is set, and in an answer that of the offer") {
  SdpPolicy caller, callee;
  callee.events_type = 101;
  const std::string events = "a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-16\r\n";
  const std::string offer = session("m=audio 4000 RTP/AVP 8 96\r\n" + events);
  std::string shown = relayed(offer, SdpRole::offer, {caller, callee}).value();
  CHECK(has(shown, "RTP/AVP 8 101\r\n"));
  CHECK(has(shown, "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"));
  CHECK_FALSE(has(shown, ":96 "));
  const std::vector<SdpTaken> took{{"PCMA", 8000, 1, 8}, {"telephone-event", 8000, 1, 96}};
  caller.taken = took;
  const std::string answer =
      session("m=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n");
  shown = relayed(answer, SdpRole::answer, {callee, caller}).value();
  CHECK(has(shown, "RTP/AVP 8 96\r\n"));
  CHECK(has(shown, "a=rtpmap:96 telephone-event/8000\r\n"));
  CHECK_FALSE(has(shown, ":101 "));
  // A number that something else has is not taken.
  const std::string taken =
      session("m=audio 4000 RTP/AVP 101 96\r\na=rtpmap:101 iLBC/8000\r\n" + events);
  CHECK(has(relayed(taken, SdpRole::offer, {{}, callee}).value(), "RTP/AVP 101 96\r\n"));
  // Events that are put into an offer have it too, and direct media keeps its own.
  SdpPolicy converts = callee;
  converts.converts_keys = true;
  converts.events_type = 110;
  shown = relayed(session("m=audio 4000 RTP/AVP 8\r\n"), SdpRole::offer, {{}, converts}).value();
  CHECK(has(shown, "a=rtpmap:110 telephone-event/8000\r\n"));
  CHECK(passed(offer, SdpRole::offer, {{}, callee}).value() == offer);
}

TEST_CASE("M-10: with ptime_adaptive a packet time above the sender's maxptime is not told") {
  struct Row {
    std::string said, told;
  };
  for (const Row& row :
       {Row{"", ""}, Row{"a=ptime:30\r\n", "a=ptime:30\r\n"},
        Row{"a=maxptime:40\r\n", "a=maxptime:40\r\n"},
        Row{"a=maxptime:10\r\n", "a=maxptime:10\r\na=ptime:10\r\n"},
        Row{"a=ptime:60\r\na=maxptime:40\r\n", "a=maxptime:40\r\na=ptime:40\r\n"},
        Row{"a=ptime:40\r\na=maxptime:40\r\n", "a=ptime:40\r\na=maxptime:40\r\n"}}) {
    CAPTURE(row.said);
    const std::string stream = "m=audio 4000 RTP/AVP 8\r\n";
    SdpPolicy adaptive;
    adaptive.ptime_adaptive = true;
    CHECK(passed(session(stream + row.said), SdpRole::offer, {adaptive, {}}).value() ==
          session(stream + row.told));
    // Of the receiver it says nothing: its own description does.
    CHECK(passed(session(stream + row.said), SdpRole::offer, {{}, adaptive}).value() ==
          session(stream + row.said));
  }
}

TEST_CASE("M-09: telephone events are described where they may come and may go") {
  const std::string text =
      session("m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n");
  const auto events = [&](const SdpPolicy& sender, const SdpPolicy& receiver) {
    return names(text, SdpRole::offer, {sender, receiver}) == "PCMA,telephone-event";
  };
  SdpPolicy deaf, mute;
  deaf.gets_events = false;
  mute.takes_events = false;
  CHECK(events({}, {}));
  CHECK_FALSE(events(deaf, {}));  // it may not be sent any
  CHECK_FALSE(events({}, mute));  // none are taken from who would send them
  CHECK(events(mute, {}));
  CHECK(events({}, deaf));
  CHECK(names(text, SdpRole::offer, {deaf, {}}) == "PCMA");
}

TEST_CASE("negotiated_codec: the first codec of the first used stream, whatever goes beside it") {
  const auto codec = [](const std::string& streams) {
    const std::string text = session(streams);
    return negotiated_codec(parse_sdp(text).value());
  };
  CHECK(codec("m=audio 4000 RTP/AVP 101 18 8\r\na=rtpmap:101 telephone-event/8000\r\na=rtpmap:18 "
              "G729a/8000\r\n") == "G729");
  CHECK(codec("m=audio 0 RTP/AVP 0\r\nm=image 4002 udptl t38\r\n") == "T38");
  CHECK(codec("m=audio 4000 RTP/AVP 96\r\n") == "96");
  CHECK(codec("m=audio 0 RTP/AVP 0\r\n") == "");
}

TEST_CASE("write_own_answer: our address, the codecs that are left and nothing else of the offer") {
  const std::string offer = session(
      "m=audio 4000 RTP/AVP 8 0 101\r\nb=AS:64\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 "
      "PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:30\r\n"
      "a=rtcp-mux\r\na=rtcp-fb:8 nack\r\na=sendonly\r\nm=video 4002 RTP/AVP 31\r\n");
  const Result<SdpSession> read = parse_sdp(offer);
  REQUIRE(read.ok());
  SdpEdit edit;
  edit.session_id = 7;
  edit.session_version = 9;
  edit.origin_address = IpAddress::ipv4(198, 51, 100, 1);
  edit.streams.resize(2);
  for (SdpStreamEdit& stream : edit.streams) {
    stream.address = edit.origin_address;
    stream.port = 20000;
  }
  edit.streams[0].formats = {"8", "101"};
  CHECK(write_own_answer(*read, edit).value() ==
        "v=0\r\no=- 7 9 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n"
        "m=audio 20000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 "
        "telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:30\r\na=recvonly\r\n"
        "m=video 0 RTP/AVP 31\r\n");
  const std::string keyed = session("m=audio 4000 RTP/SAVP 8\r\na=crypto:1 x inline:y\r\n");
  const Result<SdpSession> secret = parse_sdp(keyed);
  REQUIRE(secret.ok());
  edit.streams.resize(1);
  CHECK(write_own_answer(*secret, edit).error().code == ErrorCode::unsupported);
}

TEST_CASE("rewrite_sdp: a payload type keeps its lines however its number is written") {
  const std::string offer = session(
      "m=audio 4000 RTP/AVP 018 8\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n"
      "a=rtpmap:8 PCMA/8000\r\n");
  const Result<SdpSession> read = parse_sdp(offer);
  REQUIRE(read.ok());
  SdpEdit edit;
  edit.is_direct = true;
  edit.streams.resize(1);
  edit.streams[0].formats = {"018"};
  const std::string written = rewrite_sdp(*read, edit).value();
  CHECK(written.find("m=audio 4000 RTP/AVP 018\r\n") != std::string::npos);
  CHECK(written.find("a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n") != std::string::npos);
  CHECK(written.find("PCMA") == std::string::npos);
}

TEST_CASE("SdpMedia: what needs a connection or a handshake cannot be relayed") {
  const auto can_be_relayed = [](const std::string& protocol) {
    const std::string text = session("m=audio 4000 " + protocol + " 0\r\n");
    return parse_sdp(text).value().media[0].can_be_relayed();
  };
  for (const char* good : {"RTP/AVP", "RTP/SAVP", "RTP/AVPF", "udptl", "UDP/BFCP"})
    CHECK(can_be_relayed(good));
  for (const char* bad : {"UDP/TLS/RTP/SAVPF", "TCP/MSRP", "TCP/TLS/RTP/SAVP", "UDP/TLS/UDPTL"})
    CHECK_FALSE(can_be_relayed(bad));
}
