#include <linux/kernel.h>
#define MODULE_LICENSE(x)
#define MODULE_FIRMWARE(x)
