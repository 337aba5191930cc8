/* A switch for one customer and one vendor, with a policy.   minimal_c_main [SECONDS [LISTEN]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tandem/tandem.h"

static tandem_switch* running;

static void on_event(const tandem_event* event, void* user) {
  (void)user;
  printf("%s\n", event->json);
}

/* Nobody calls premium numbers. */
static void on_policy(const tandem_policy_question* question, void* user) {
  tandem_policy_answer answer = TANDEM_POLICY_ANSWER_INIT;
  (void)user;
  answer.refuse = strncmp(question->callee, "449", 3) == 0;
  tandem_switch_answer(running, question->token, &answer);
}

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, tandem_last_error());
  return 1;
}

int main(int argc, char** argv) {
  tandem_switch_hooks hooks = TANDEM_SWITCH_HOOKS_INIT;
  tandem_address address;
  char config[1024];
  snprintf(
      config, sizeof config,
      "{\"sip\": {\"listen\": [\"%s\"]},\n"
      " \"provision\": {\n"
      "  \"accounts\": [{\"id\": \"acme\", \"balance\": \"9.00\", \"rate_deck\": \"retail\"}],\n"
      "  \"rate_decks\": [{\"id\": \"retail\", \"rates\": [{\"prefix\": \"44\", \"price\": "
      "\"0.60\"}]}],\n"
      "  \"customer_gateways\": [{\"id\": \"cust\", \"addresses\": [\"127.0.0.2\"], \"account\": "
      "\"acme\"}],\n"
      "  \"vendor_gateways\": [{\"id\": \"v1\", \"addresses\": [\"127.0.0.1:5070\"]}]}}",
      argc > 2 ? argv[2] : "udp:127.0.0.1:5060");
  hooks.on_event = on_event;
  hooks.on_policy = on_policy;
  if (tandem_switch_create_json(config, NULL, &hooks, &running) != TANDEM_OK) return fail("create");
  if (tandem_switch_start(running) != TANDEM_OK) return fail("start");
  if (tandem_switch_listening(running, 0, &address, NULL) != TANDEM_OK) return fail("listening");
  printf("taking calls at %s:%u\n", address.ip, (unsigned)address.port);
  sleep(argc > 1 ? (unsigned)atoi(argv[1]) : 3600);
  tandem_switch_destroy(running);
  return 0;
}
