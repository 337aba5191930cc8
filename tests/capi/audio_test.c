/* Audio of a session and a codec of the host's. */
#include "check.h"

static int states;

static void* begin(void* user) {
  check_add((int*)user);
  return user;
}
static void end(void* state) { (void)state; }
static size_t decode(void* state, const uint8_t* payload, size_t size, int16_t* samples,
                     size_t capacity) {
  size_t i;
  (void)state;
  for (i = 0; i < size && i < capacity; ++i)
    samples[i] = (int16_t)(payload[i] << 8);
  return i;
}
static size_t encode(void* state, const int16_t* samples, size_t count, uint8_t* payload,
                     size_t capacity) {
  size_t i;
  (void)state;
  for (i = 0; i < count && i < capacity; ++i)
    payload[i] = (uint8_t)((uint16_t)samples[i] >> 8);
  return i;
}

static size_t conceal(void* state, const uint8_t* next, size_t next_size, int16_t* samples,
                      size_t count) {
  (void)state;
  (void)next;
  (void)next_size;
  memset(samples, 0, count * sizeof *samples);
  return count;
}

/* Packets of it are decoded in C++ and Python; here it is opened, asked and closed. */
static void check_audio_tap(tandem_media_session* session) {
  tandem_media_audio heard = TANDEM_MEDIA_AUDIO_INIT;
  const tandem_media_audio none = TANDEM_MEDIA_AUDIO_INIT;
  tandem_tapped_audio audio = TANDEM_TAPPED_AUDIO_INIT;
  tandem_audio_tap *tap = NULL, *second = NULL;
  CHECK_ERROR(tandem_audio_tap_create(session, &none, &none, 0, &tap), TANDEM_ERR_INVALID_ARGUMENT,
              "no side");
  heard.codec = "PCMA";
  heard.payload_type = 8;
  CHECK(tandem_audio_tap_create(session, &heard, NULL, 0, &tap) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_audio_tap_create(session, &heard, &none, 0, &tap) == TANDEM_OK);
  CHECK(tandem_audio_tap_create(session, &heard, &none, 0, &second) == TANDEM_ERR_ALREADY_EXISTS);
  CHECK(tandem_audio_tap_take(tap, &audio) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_audio_tap_take(tap, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_audio_tap_take(NULL, &audio) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_audio_tap_skipped(tap) == 0 && tandem_audio_tap_dropped(tap) == 0);
  tandem_audio_tap_destroy(tap);
  tandem_audio_tap_destroy(NULL);
}

/* Numbers as sound files; what languages make of them is tested in C++. */
static void check_spoken(void) {
  tandem_text* text = NULL;
  CHECK(tandem_spoken_phrase("en", "remaining_time", 180, NULL, NULL, &text) == TANDEM_OK);
  CHECK(strcmp(tandem_text_data(text), "vm-youhave\ndigits/3\nminutes\n") == 0);
  tandem_text_destroy(text);
  CHECK(tandem_spoken_amount("zh", 12 * TANDEM_AMOUNT_SCALE + TANDEM_AMOUNT_SCALE / 2, "CNY", NULL,
                             &text) == TANDEM_OK);
  CHECK(strcmp(tandem_text_data(text),
               "vm-youhave\ndigits/10\ndigits/2\ncurrency/CNY\ndigits/5\njiao\n") == 0);
  tandem_text_destroy(text);
  CHECK_ERROR(tandem_spoken_phrase("en", "number", 7, NULL, "/no/such/voice", &text), TANDEM_ERR_IO,
              "/no/such/voice/digits/7.wav");
  CHECK_ERROR(tandem_spoken_phrase("xx", "number", 7, NULL, NULL, &text), TANDEM_ERR_NOT_FOUND,
              "xx");
  CHECK_ERROR(tandem_spoken_phrase("en", "nothing", 7, NULL, NULL, &text), TANDEM_ERR_NOT_FOUND,
              "nothing");
  CHECK_ERROR(tandem_spoken_phrase("/no/such.grammar", "number", 7, NULL, NULL, &text),
              TANDEM_ERR_IO, "/no/such.grammar");
  CHECK_ERROR(tandem_spoken_amount("en", 1, NULL, NULL, &text), TANDEM_ERR_INVALID_ARGUMENT,
              "NULL");
  CHECK_ERROR(tandem_spoken_phrase(NULL, "number", 7, NULL, NULL, &text),
              TANDEM_ERR_INVALID_ARGUMENT, "NULL");
}

int main(void) {
  tandem_text* names = NULL;
  tandem_audio_codec codec = TANDEM_AUDIO_CODEC_INIT;
  tandem_media_config config = TANDEM_MEDIA_CONFIG_INIT;
  tandem_media_audio caller = TANDEM_MEDIA_AUDIO_INIT, callee = TANDEM_MEDIA_AUDIO_INIT;
  tandem_media_relay* relay = NULL;
  tandem_media_session* session = NULL;
  const char* const list[] = {"tone:busy", "tone:warning", "/no/such.wav"};
  codec.name = "L8";
  CHECK_ERROR(tandem_audio_codec_add(&codec), TANDEM_ERR_INVALID_ARGUMENT, "NULL");
  codec.state_create = begin;
  codec.state_free = end;
  codec.decode = decode;
  codec.encode = encode;
  codec.user = &states;
  codec.frame_ms = 61;
  CHECK_ERROR(tandem_audio_codec_add(&codec), TANDEM_ERR_INVALID_ARGUMENT, "frame_ms 61");
  codec.frame_ms = 10;
  codec.sample_rate_hz = 44100;
  CHECK_ERROR(tandem_audio_codec_add(&codec), TANDEM_ERR_INVALID_ARGUMENT, "sample_rate_hz 44100");
  codec.sample_rate_hz = 16000;
  codec.keeps_state = 1;
  codec.conceal = conceal;
  codec.name = "nothing";
  CHECK_ERROR(tandem_audio_codec_add(&codec), TANDEM_ERR_INVALID_ARGUMENT, "nothing");
  codec.name = "L8";
  CHECK(tandem_audio_codec_add(&codec) == TANDEM_OK);
  CHECK_ERROR(tandem_audio_codec_add(&codec), TANDEM_ERR_ALREADY_EXISTS, "L8");
  CHECK_ERROR(tandem_audio_codec_names(NULL), TANDEM_ERR_INVALID_ARGUMENT, "NULL");
  CHECK(tandem_audio_codec_names(&names) == TANDEM_OK);
  CHECK(strncmp(tandem_text_data(names), "PCMA/8000,PCMU/8000", 19) == 0);
  CHECK(strstr(tandem_text_data(names), ",L8/8000") != NULL);
  tandem_text_destroy(names);

  config.address = "127.0.0.1";
  config.port_first = 41000;
  config.port_last = 41099;
  config.ready_pairs = 2;
  config.jitter_min_ms = -2;
  CHECK_ERROR(tandem_media_relay_create(&config, &relay), TANDEM_ERR_INVALID_ARGUMENT,
              "jitter_min_ms -2");
  config.jitter_min_ms = 100;
  config.jitter_max_ms = 50;
  CHECK_ERROR(tandem_media_relay_create(&config, &relay), TANDEM_ERR_INVALID_ARGUMENT,
              "jitter_min_ms 100");
  config.jitter_min_ms = -1;
  CHECK(tandem_media_relay_create(&config, &relay) == TANDEM_OK);
  CHECK(tandem_media_session_open(relay, TANDEM_IPV4, TANDEM_IPV4, &session) == TANDEM_OK);
  CHECK_ERROR(tandem_media_session_play(session, TANDEM_SIDE_CALLER, "tone:busy", 1, 1),
              TANDEM_ERR_WRONG_STATE, "audio of the session");
  caller.codec = "PCMA";
  caller.payload_type = 8;
  callee.codec = "G729";
  CHECK_ERROR(tandem_media_session_set_audio(session, &caller, &callee), TANDEM_ERR_NOT_FOUND,
              "G729");
  callee.codec = "L8";
  callee.payload_type = 96;
  callee.events_type = 101;
  callee.fmtp = "mode=1";
  CHECK(tandem_media_session_set_audio(session, &caller, &callee) == TANDEM_OK);
  CHECK(states == 2); /* one way each */
  callee.ptime_ms = 15;
  CHECK_ERROR(tandem_media_session_set_audio(session, &caller, &callee),
              TANDEM_ERR_INVALID_ARGUMENT, "ptime_ms 15");
  callee.ptime_ms = 0;
  callee.events_clock_rate_hz = 44100;
  CHECK_ERROR(tandem_media_session_set_audio(session, &caller, &callee),
              TANDEM_ERR_INVALID_ARGUMENT, "events_clock_rate_hz 44100");
  callee.events_clock_rate_hz = 48000;
  CHECK(tandem_media_session_set_audio(session, &caller, &callee) == TANDEM_OK);
  callee.keys = 7;
  CHECK_ERROR(tandem_media_session_set_audio(session, &caller, &callee),
              TANDEM_ERR_INVALID_ARGUMENT, "keys");
  CHECK(tandem_media_session_play(session, TANDEM_SIDE_CALLER, "tone:busy", 1, 1) == TANDEM_OK);
  CHECK_ERROR(tandem_media_session_play(session, TANDEM_SIDE_CALLER, "/no/such.wav", 0, 1),
              TANDEM_ERR_IO, "/no/such.wav");
  CHECK_ERROR(tandem_media_session_play_list(session, TANDEM_SIDE_CALLER, list, 0, 0, 0),
              TANDEM_ERR_INVALID_ARGUMENT, "source_count");
  CHECK_ERROR(tandem_media_session_play_list(session, TANDEM_SIDE_CALLER, list, 3, 0, 0),
              TANDEM_ERR_IO, "/no/such.wav");
  CHECK(tandem_media_session_play_list(session, TANDEM_SIDE_CALLER, list, 2, 0, 0) == TANDEM_OK);
  CHECK(tandem_media_session_stop_playing(session, TANDEM_SIDE_CALLER) == TANDEM_OK);
  CHECK(tandem_media_session_press_key(session, TANDEM_SIDE_CALLEE, '5', 100) == TANDEM_OK);
  CHECK_ERROR(tandem_media_session_press_key(session, TANDEM_SIDE_CALLER, '5', 100),
              TANDEM_ERR_WRONG_STATE, "5");
  CHECK(tandem_media_session_clear_audio(session) == TANDEM_OK);
  check_audio_tap(session);
  check_spoken();
  tandem_media_session_destroy(session);
  tandem_media_relay_destroy(relay);
  return check_result();
}
