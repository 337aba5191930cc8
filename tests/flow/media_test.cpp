// What the relay sees of calls: keys, causes of silence, loss, recordings.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "tandem-calls-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
};

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

DialPlan talking() {
  DialPlan dial;
  dial.send_rtp = true;
  return dial;
}

AnswerPlan answering() {
  AnswerPlan plan;
  plan.send_rtp = true;
  return plan;
}

SwitchConfig recording_config(const Folder& folder) {
  SwitchConfig config = base_config();
  config.recording.emplace();
  config.recording->folder = folder.path / "calls";
  config.recording->free_megabytes_min = 0;
  config.recording->name = "{date}/{caller}-{callee}";
  return config;
}

}  // namespace

TEST_CASE("Media: keys in RTP are told to the host, passed on and counted in the record (M-09)") {
  std::string keys;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) {
    if (event.kind != Event::Kind::call_digit) return;
    CHECK(event.side == MediaSide::caller);
    CHECK(event.duration_ms == 100);
    keys += event.digit;
  };
  Bench bench(base_config(), {}, hooks);
  auto call = bench.connect(talking());
  auto far = bench.b->last_call();
  bench.run_s(1);
  const std::uint64_t before = far->packets_received();
  for (const char key : std::string_view("42#")) {
    call->press_key(key);
    bench.run_ms(200);
  }
  CHECK(far->packets_received() >= before + 12 + 25);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(keys == "42#");
  CHECK(cdr.media_caller.digits == 3);
  CHECK(cdr.media_callee.digits == 0);
  CHECK(cdr.media_caller.packets_unnegotiated == 0);
}

TEST_CASE("Media: events of a side that may not send any are no keys (M-09)") {
  std::string keys;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::call_digit) keys += event.digit;
  };
  SwitchConfig config = base_config();
  SUBCASE("signalling") {
    config.provision.customer_gateways[0].sip.dtmf_receive = DtmfReceive::signalling;
  }
  SUBCASE("off") { config.provision.customer_gateways[0].sip.dtmf_receive = DtmfReceive::off; }
  const bool takes_info =
      config.provision.customer_gateways[0].sip.dtmf_receive == DtmfReceive::signalling;
  Bench bench(std::move(config), {}, hooks);
  auto call = bench.connect(talking());
  bench.run_s(1);
  call->press_key('4');
  bench.run_ms(300);
  CHECK(keys.empty());
  // And they settle nothing: the way that is open stays so.
  call->request("INFO", "application/dtmf-relay", "Signal=5\r\n");
  bench.run_s(1);
  CHECK(keys == (takes_info ? "5" : ""));
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.media_caller.digits == 0);
  CHECK(cdr.media_caller.packets_unnegotiated > 0);
}

TEST_CASE("Media: keys in SIP INFO are told to the host too (M-09)") {
  std::string keys;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::call_digit) keys += event.digit;
  };
  Bench bench(base_config(), {}, hooks);
  auto call = bench.connect();
  call->request("INFO", "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n");
  bench.run_s(1);
  CHECK(bench.b->last_call()->count("INFO") == 1);
  call->hang_up();
  bench.only_cdr();
  CHECK(keys == "5");
}

TEST_CASE("Media: the record names the leg that was not heard and why (M-17)") {
  Bench bench;
  auto call = bench.connect(talking());
  bench.run_s(5);
  const auto views = bench.tandem->calls();
  REQUIRE(views.size() == 1);
  CHECK(views[0].media_caller.cause == MediaCause::none);
  CHECK(views[0].media_callee.cause == MediaCause::never_sent);
  call->stop_rtp();
  bench.run_s(11);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.media_caller.cause == MediaCause::stopped);
  CHECK(cdr.media_callee.cause == MediaCause::never_sent);
  CHECK(cdr.media_callee.signalled.starts_with("10.0.2.1:"));
  CHECK(to_json(cdr).find("\"cause\":\"never_sent\"") != std::string::npos);
}

TEST_CASE("Media: on hold nobody is to be heard, and before the answer neither") {
  Bench bench;
  auto call = bench.connect(talking());
  bench.run_s(1);
  call->stop_rtp();
  call->hold();
  bench.run_s(30);
  call->hang_up();
  const Cdr cdr = bench.only_cdr();
  CHECK(cdr.media_caller.cause == MediaCause::none);
  CHECK(cdr.media_callee.cause == MediaCause::none);
  Bench busy;
  busy.b->set_plan(refuse(486));
  busy.dial();
  busy.run_s(2);
  CHECK(busy.only_cdr().media_callee.cause == MediaCause::none);
}

TEST_CASE("Media: loss above the limit raises an alarm that names the gateway (O-05)") {
  int alarms = 0;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) {
    if (event.kind != Event::Kind::alarm || event.gateway != "cust") return;
    CHECK(event.text.find("(O-05)") != std::string::npos);
    ++alarms;
  };
  SwitchConfig config = base_config();
  config.parameters.rtp_loss_alarm_percent = 20;
  config.parameters.rtp_loss_window_s = 2;
  Bench bench(config, {}, hooks);
  auto call = bench.connect(talking());
  bench.run_s(5);
  CHECK(alarms == 0);
  LinkSettings link;
  link.loss_per_mille = 500;
  bench.world.set_default_link(link);
  bench.run_s(6);
  bench.world.set_default_link({});
  CHECK(alarms == 1);
  bench.run_s(5);
  call->hang_up();
  CHECK(bench.only_cdr().media_caller.packets_lost > 50);
  CHECK(alarms == 1);
}

TEST_CASE("Media: calls of a gateway are recorded, both sides, and the record says where (M-15)") {
  const Folder folder;
  SwitchConfig config = recording_config(folder);
  bool is_recorded = true;
  DialPlan dial = talking();
  SUBCASE("of the customer, whose encryption ends here") {
    config.provision.customer_gateways[0].record = true;
    config.provision.customer_gateways[0].sip.srtp = SrtpMode::required;
    dial.srtp = SrtpMode::required;
  }
  SUBCASE("of the customer") { config.provision.customer_gateways[0].record = true; }
  SUBCASE("of the vendor") { config.provision.vendor_gateways[0].record = true; }
  SUBCASE("of the account") { config.provision.accounts[0].record = true; }
  SUBCASE("of nobody") { is_recorded = false; }
  {
    Bench bench(config);
    bench.b->set_plan(answering());
    auto call = bench.connect(dial);
    bench.run_s(3);
    CHECK(bench.tandem->calls()[0].recording.empty() != is_recorded);
    call->hang_up();
    const std::string file = bench.only_cdr().recording;
    if (!is_recorded) {
      CHECK(file.empty());
      return;
    }
    CHECK(file == "20260101/1000-442079460000.wav");
    bench.run_s(1);
    const std::string wav = content(folder.path / "calls" / file);
    REQUIRE(wav.size() > 44 + 2 * 32'000);
    CHECK(wav.size() < 44 + 4 * 32'000);
    const auto sample = [&](std::size_t frame, std::size_t channel) {
      const std::size_t at = 44 + 4 * frame + 2 * channel;
      return static_cast<std::int16_t>(static_cast<unsigned char>(wav[at]) |
                                       static_cast<unsigned char>(wav[at + 1]) << 8);
    };
    CHECK(sample(8000, 0) == 716);    // 0xD5 of G.711 mu-law
    CHECK(sample(8000, 1) == -5372);  // 0x2A
    CHECK(bench.tandem->counters().recorder.files_written == 1);
  }
}

TEST_CASE("Media: a host begins and ends a recording in the middle of a call (M-15)") {
  const Folder folder;
  Bench bench(recording_config(folder));
  auto call = bench.dial(talking());
  bench.run_ms(10);
  const auto record = [&](bool on) {
    const auto calls = bench.tandem->calls();
    return bench.tandem->record(calls.empty() ? 0 : calls[0].id, on);
  };
  CHECK(bench.tandem->record(12345).error().code == ErrorCode::not_found);
  bench.run_s(2);
  REQUIRE(call->was_answered());
  CHECK(record(true));
  CHECK(record(true));  // nothing happens
  bench.run_s(2);
  CHECK(bench.tandem->counters().recorder.recordings == 1);
  CHECK(record(false));
  bench.run_s(3);
  CHECK(bench.tandem->counters().recorder.recordings == 0);
  call->hang_up();
  const std::string file = bench.only_cdr().recording;
  REQUIRE_FALSE(file.empty());
  const auto bytes = fs::file_size(folder.path / "calls" / file);
  CHECK(bytes > 44 + 32'000);
  CHECK(bytes < 44 + 3 * 32'000);
}

TEST_CASE(
    "Media: what is recorded in parts is named in parts, and a live call has the last (M-15)") {
  const Folder folder;
  Bench bench(recording_config(folder));
  auto call = bench.connect(talking());
  const auto view = [&] { return bench.tandem->calls().at(0); };
  const std::uint64_t id = view().id;
  REQUIRE(bench.tandem->record(id, true));
  bench.run_s(2);
  CHECK(view().recording == "20260101/1000-442079460000.wav");
  REQUIRE(bench.tandem->record(id, false));
  CHECK(view().recording.empty());
  REQUIRE(bench.tandem->record(id, true));  // at once
  bench.run_s(2);
  CHECK(view().recording == "20260101/1000-442079460000-2.wav");
  call->hang_up();
  CHECK(bench.only_cdr().recording ==
        "20260101/1000-442079460000.wav,20260101/1000-442079460000-2.wav");
  CHECK(fs::exists(folder.path / "calls/20260101/1000-442079460000-2.wav"));
}

TEST_CASE("Media: what is encrypted end to end is not recorded as noise (M-15)") {
  const Folder folder;
  SwitchConfig config = recording_config(folder);
  config.provision.customer_gateways[0].record = true;
  Bench bench(config);
  const auto sdp = [](const char* ip, const char* profile, const char* more) {
    return "v=0\r\no=x 1 1 IN IP4 " + std::string(ip) + "\r\ns=-\r\nc=IN IP4 " + ip +
           "\r\nt=0 0\r\nm=audio 4000 " + profile + " 0\r\n" + more;
  };
  const char* const crypto =
      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 "
      "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";
  DialPlan dial = talking();
  dial.sdp = sdp("10.0.1.1", "RTP/SAVP", crypto);
  AnswerPlan answer = answering();
  answer.sdp = sdp("10.0.2.1", "RTP/SAVP", crypto);
  bench.b->set_plan(answer);
  auto call = bench.connect(dial);
  bench.run_s(1);
  CHECK(bench.tandem->record(bench.tandem->calls().at(0).id).error().code ==
        ErrorCode::unsupported);
  CHECK(bench.tandem->counters().recorder.recordings == 0);
  call->hang_up();
  CHECK(bench.only_cdr().recording.empty());
  CHECK(bench.tandem->counters().recorder.files_written == 0);
}

TEST_CASE("Media: without a folder nothing is recorded, whatever a gateway says (M-15)") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].record = true;
  Bench bench(config);
  auto call = bench.connect(talking());
  bench.run_s(1);
  CHECK(bench.tandem->record(bench.tandem->calls()[0].id).error().code == ErrorCode::wrong_state);
  call->hang_up();
  CHECK(bench.only_cdr().recording.empty());
}

TEST_CASE("Media: keys last as long as the clock of the codec says (M-09)") {
  std::vector<std::uint32_t> lengths_ms;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::call_digit) lengths_ms.push_back(event.duration_ms);
  };
  Bench bench(base_config(), {}, hooks);
  RawEndpoint* phone = *bench.world.add_raw_endpoint("10.0.66.7:4000");
  // The caller's offer names another clock first than the answer takes.
  const std::string begin =
      "v=0\r\no=- 1 1 IN IP4 10.0.66.7\r\ns=-\r\nc=IN IP4 10.0.66.7\r\nt=0 0\r\n";
  const std::string opus =
      "a=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/48000\r\n"
      "a=rtpmap:102 telephone-event/8000\r\n";
  DialPlan plan;
  plan.sdp = begin + "m=audio 4000 RTP/AVP 0 96 101 102\r\n" + opus;
  AnswerPlan answer = answer_after(second_us);
  answer.sdp = begin + "m=audio 4002 RTP/AVP 96 101 102\r\n" + opus;
  bench.b->set_plan(answer);
  auto call = bench.connect(plan);
  const std::string& description = call->remote_sdp();
  const std::size_t at = description.find("m=audio ") + 8;
  const SocketAddress relay =
      *SocketAddress::parse("10.0.0.1:" + description.substr(at, description.find(' ', at) - at));
  for (char sequence = 1; sequence <= 2; ++sequence) {  // the key 5, 4,800 units long
    phone->send(relay, std::string{'\x80', 101, 0, sequence, 0, 0, 0, 9, 0, 0, 0, 7, 5,
                                   sequence == 1 ? '\x0A' : '\x8A', '\x12', '\xC0'});
    bench.run_ms(20);
  }
  // The key 6 by the other clock, 800 units long.
  phone->send(relay, std::string{'\x80', 102, 0, 3, 0, 0, 64, 9, 0, 0, 0, 7, 6, '\x8A', 3, 32});
  bench.run_s(1);
  call->hang_up();
  bench.only_cdr();
  REQUIRE(lengths_ms.size() == 2);
  CHECK(lengths_ms[0] == 100);
  CHECK(lengths_ms[1] == 100);
}

TEST_CASE("Media: a call of Opus is recorded by the numbers of its descriptions (M-15)") {
  const auto opus = find_audio_codec("opus");
  if (opus == nullptr) {
    MESSAGE("not built: opus");
    return;
  }
  const Folder folder;
  SwitchConfig config = recording_config(folder);
  config.provision.customer_gateways[0].record = true;
  Bench bench(config);
  RawEndpoint* phone = *bench.world.add_raw_endpoint("10.0.66.7:4000");
  const std::string sdp =
      "v=0\r\no=- 1 1 IN IP4 10.0.66.7\r\ns=-\r\nc=IN IP4 10.0.66.7\r\nt=0 0\r\n"
      "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n";
  DialPlan plan;
  plan.sdp = sdp;
  AnswerPlan answer = answer_after(second_us);
  answer.sdp = sdp;
  bench.b->set_plan(answer);
  auto call = bench.connect(plan);
  const std::string& description = call->remote_sdp();
  const std::size_t at = description.find("m=audio ") + 8;
  const SocketAddress relay =
      *SocketAddress::parse("10.0.0.1:" + description.substr(at, description.find(' ', at) - at));
  const auto encoder = opus->make_encoder();
  std::vector<std::int16_t> samples(opus->facts().sample_rate_hz / 50);
  for (std::size_t i = 0; i < samples.size(); ++i)
    samples[i] = static_cast<std::int16_t>(i % 40 < 20 ? 6000 : -6000);
  for (char sequence = 1; sequence <= 50; ++sequence) {
    std::vector<std::uint8_t> payload(1500);
    payload.resize(encoder->encode(samples, payload));
    const int units = sequence * 960;
    std::string packet{
        '\x80', 96, 0, sequence, 0, 0, static_cast<char>(units >> 8), static_cast<char>(units),
        0,      0,  0, 7};
    packet.append(payload.begin(), payload.end());
    phone->send(relay, packet);
    bench.run_ms(20);
  }
  call->hang_up();
  const std::string file = bench.only_cdr().recording;
  REQUIRE_FALSE(file.empty());
  bench.run_s(1);
  const std::string wav = content(folder.path / "calls" / file);
  int peak = 0;
  for (std::size_t i = 44; i + 1 < wav.size(); i += 4)
    peak = std::max(
        peak,
        std::abs(int{static_cast<std::int16_t>(static_cast<unsigned char>(wav[i]) |
                                               static_cast<unsigned char>(wav[i + 1]) << 8)}));
  CHECK(peak > 3000);
  CHECK(bench.tandem->counters().recorder.packets_skipped == 0);
}
