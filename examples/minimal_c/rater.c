/* Only the rater: what 61 seconds cost at 0.60 a minute in steps of a minute. */
#include <stdio.h>

#include "tandem/tandem.h"

int main(void) {
  tandem_rate rate = TANDEM_RATE_INIT;
  tandem_charge charge = TANDEM_CHARGE_INIT;
  tandem_text* text = NULL;
  rate.first_s = 60;
  rate.next_s = 60;
  if (tandem_amount_parse("0.60", &rate.price_units) != TANDEM_OK ||
      tandem_rate_call(&rate, 61000, NULL, &charge) != TANDEM_OK ||
      tandem_amount_format(charge.charge_units, &text) != TANDEM_OK) {
    fprintf(stderr, "%s\n", tandem_last_error());
    return 1;
  }
  printf("%s for %d s\n", tandem_text_data(text), (int)charge.billed_time_s); /* 1.20 for 120 s */
  tandem_text_destroy(text);
  return 0;
}
