#include <stdio.h>
#include <string.h>
#include <tandem/tandem.h>
#include <tandem/version.h>

int main(void) {
  if (strcmp(tandem_version(), TANDEM_VERSION_STRING) != 0) {
    printf("library %s, headers %s\n", tandem_version(), TANDEM_VERSION_STRING);
    return 1;
  }
  printf("tandem %s\n", tandem_version());
  return 0;
}
