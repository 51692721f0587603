import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{buildWithCaches,main,planWithCaches,post}from"./chunk-TEDPUZCQ.mjs";import"./chunk-TG5K4KG3.mjs";import"./chunk-FWBSCIZ7.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-2Z2CU6QK.mjs";export{buildWithCaches,main,planWithCaches,post};
