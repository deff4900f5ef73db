int fartoy;
