import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{definition}from"./chunk-Q6G5F6AL.mjs";import"./chunk-FWBSCIZ7.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-2Z2CU6QK.mjs";export{definition};
